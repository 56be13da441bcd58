"""Whatever the candidates and the constraints: no constraint is ever violated, and propensities are probabilities."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bespeak.decide.slates.exploration import Exploration, numbers_of
from bespeak.decide.slates.slate import Cap, Choice, Constraints, Diversity, Pin, Share, Values, build

SIZES = st.integers(0, 30)
EXPLORATIONS = st.tuples(st.floats(0.001, 1), st.sampled_from([0.0, 0.01, 1.0, 100.0]))


def scores_of(n: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, n, elements=st.floats(-5, 5, allow_nan=False).map(lambda x: round(x, 1)))


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, int, Constraints]:
    n = draw(SIZES)
    groups = draw(st.none() | arrays(np.int32, n, elements=st.integers(0, 6)))
    caps = []
    for place in range(draw(st.integers(0, 2))):
        width, n_values = draw(st.integers(1, 3)), draw(st.integers(1, 5))
        codes = draw(arrays(np.int32, (n, width), elements=st.integers(0, n_values)))
        caps.append(Cap(f"c{place}", draw(st.integers(1, 4)), Values(codes, n_values)))
    least = draw(st.none() | st.floats(-5, 5))
    return draw(scores_of(n)), draw(st.integers(1, 20)), Constraints(groups, tuple(caps), least)


@st.composite
def pinned_problems(draw: st.DrawFn) -> tuple[np.ndarray, int, Constraints]:
    scores, count, constraints = draw(problems())
    positions = draw(st.lists(st.integers(1, 22), max_size=4, unique=True))
    masks = st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)).map(lambda m: np.array(m, np.bool_))
    singles = st.integers(0, max(len(scores) - 1, 0)).map(lambda row: np.arange(len(scores)) == row)
    pins = tuple(Pin(position, draw(masks | singles)) for position in positions)
    codes = draw(arrays(np.int32, (len(scores), 2), elements=st.integers(0, 3)))
    diversity = draw(st.none() | st.floats(0, 1).map(lambda strength: Diversity(strength, (Values(codes, 3),))))
    return scores, count, replace(constraints, pins=pins, diversity=diversity)


def fits(placed: list[int], candidate: int, scores: np.ndarray, constraints: Constraints) -> bool:
    """The constraints said once more, in the plainest way."""
    slate = [*placed, candidate]
    if candidate in placed or (constraints.min_score is not None and scores[candidate] < constraints.min_score):
        return False
    if constraints.groups is not None and len({int(constraints.groups[i]) for i in slate}) < len(slate):
        return False
    for cap in constraints.caps:
        table = cap.values.codes.tolist()
        held = Counter(code for i in slate for code in set(table[i]) if code < cap.values.n_values)
        if max(held.values(), default=0) > cap.limit:
            return False
    return True


@given(problems())
def test_a_slate_is_the_greedy_one_and_as_long_as_the_constraints_allow(
    problem: tuple[np.ndarray, int, Constraints],
) -> None:
    scores, count, constraints = problem
    slate = build(scores, count, constraints)
    expected: list[int] = []
    while len(expected) < count:
        allowed = [i for i in range(len(scores)) if fits(expected, i, scores, constraints)]
        if not allowed:
            break
        expected.append(max(allowed, key=lambda i: (scores[i], -i)))
    assert [choice.candidate for choice in slate.chosen] == expected
    assert all(choice.propensity == 1.0 for choice in slate.chosen)


@given(problems(), st.integers(0, 2**32 - 1))
def test_a_chooser_that_samples_sees_only_what_is_allowed(
    problem: tuple[np.ndarray, int, Constraints], seed: int
) -> None:
    scores, count, constraints = problem
    rng = np.random.default_rng(seed)
    placed: list[int] = []

    def sample(offered: np.ndarray, is_open: np.ndarray, position: int) -> Choice:
        assert position == len(placed) + 1
        allowed = [i for i in range(len(offered)) if fits(placed, i, scores, constraints)]
        assert np.flatnonzero(is_open).tolist() == allowed
        placed.append(int(rng.choice(allowed)))
        return Choice(placed[-1], 1 / len(allowed))

    slate = build(scores, count, constraints, sample)
    assert [choice.candidate for choice in slate.chosen] == placed
    assert sum(slate.removed.values()) + len(placed) <= len(scores)


@given(pinned_problems(), EXPLORATIONS, st.text(max_size=5))
def test_no_pin_no_diversity_and_no_draw_ever_breaks_a_constraint(
    problem: tuple[np.ndarray, int, Constraints], exploration: tuple[float, float], decision_id: str
) -> None:
    scores, count, constraints = problem
    slate = build(scores, count, constraints, Exploration(*exploration).chooser(numbers_of(1, "p", decision_id, count)))
    placed = [choice.candidate for choice in slate.chosen]
    for place, candidate in enumerate(placed):
        assert fits(placed[:place], candidate, scores, constraints)
    assert all(0 < choice.propensity <= 1 + 1e-12 for choice in slate.chosen)
    if len(placed) < count:
        assert not any(fits(placed, i, scores, constraints) for i in range(len(scores)))


@given(pinned_problems(), EXPLORATIONS, st.text(max_size=5))
def test_a_pin_holds_unless_nothing_it_is_kept_for_may_stand_there(
    problem: tuple[np.ndarray, int, Constraints], exploration: tuple[float, float], decision_id: str
) -> None:
    scores, count, constraints = problem
    slate = build(scores, count, constraints, Exploration(*exploration).chooser(numbers_of(1, "p", decision_id, count)))
    placed = [choice.candidate for choice in slate.chosen]
    holding = {pin.position for pin in constraints.pins if pin.position <= count} - set(slate.unmet)
    for pin in constraints.pins:
        if pin.position in holding:
            assert pin.allowed[placed[pin.position - 1]]
        elif pin.position <= len(placed):
            here = placed[pin.position - 1]
            has_moved_up = any(other.position > pin.position and other.allowed[here] for other in constraints.pins)
            beside = placed if has_moved_up else [i for i in placed if i != here]
            # Each collides with what stands before, or with what is kept for a later position.
            assert not any(fits(beside, i, scores, constraints) for i in np.flatnonzero(pin.allowed).tolist())


@given(SIZES.filter(bool).flatmap(lambda n: st.tuples(scores_of(n), arrays(np.bool_, n), arrays(np.bool_, n))),
       EXPLORATIONS, st.booleans())  # fmt: skip
def test_the_propensities_of_all_that_may_stand_there_add_up_to_one(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray], exploration: tuple[float, float], tries_some: bool
) -> None:
    scores, is_open, may_try = problem
    is_open[0] = True
    chances = Exploration(*exploration, may_try if tries_some else None).probabilities(scores, is_open)
    assert abs(chances.sum() - 1) < 1e-12
    assert not chances[~is_open].any()
    sure = is_open & may_try if tries_some else is_open
    assert (chances[sure] >= exploration[0] / np.count_nonzero(is_open) * (1 - 1e-12)).all()


@given(scores_of(12), arrays(np.int32, (12, 1), elements=st.integers(0, 2)))
def test_full_diversity_repeats_a_value_only_when_every_value_was_shown(scores: np.ndarray, codes: np.ndarray) -> None:
    constraints = Constraints(diversity=Diversity(1.0, (Values(codes, 3),)))
    shown = [int(codes[choice.candidate, 0]) for choice in build(scores, 12, constraints).chosen]
    n_values = len(set(shown))
    assert len(set(shown[:n_values])) == n_values


@given(problems())
def test_no_diversity_changes_nothing(problem: tuple[np.ndarray, int, Constraints]) -> None:
    scores, count, constraints = problem
    values = Values(np.zeros((len(scores), 1), np.int32), 1)
    diverse = replace(constraints, diversity=Diversity(0.0, (values,)))
    assert build(scores, count, diverse).chosen == build(scores, count, constraints).chosen


@st.composite
def crowded_problems(draw: st.DrawFn) -> tuple[np.ndarray, int, Constraints]:
    """Problems with everything at once: windows, what stands elsewhere on the page, shares."""
    scores, count, constraints = draw(pinned_problems())
    n = len(scores)
    masks = st.lists(st.booleans(), min_size=n, max_size=n).map(lambda m: np.array(m, np.bool_))
    caps = []
    for place in range(draw(st.integers(0, 2))):
        n_values = draw(st.integers(1, 5))
        codes = draw(arrays(np.int32, (n, 2), elements=st.integers(0, n_values)))
        caps.append(Cap(f"w{place}", draw(st.integers(1, 2)), Values(codes, n_values), window=draw(st.integers(2, 5))))
    held_codes = draw(arrays(np.int32, (n, 1), elements=st.integers(0, 3)))
    held = draw(arrays(np.int64, 3, elements=st.integers(0, 4)))
    caps.append(Cap("page", draw(st.integers(1, 4)), Values(held_codes, 3), held=held))
    shares = []
    for place in range(draw(st.integers(0, 2))):
        most = draw(st.integers(0, count))
        shares.append(Share(f"s{place}", draw(masks), draw(st.integers(0, most)), most))
    taken = draw(st.none() | masks)
    return scores, count, replace(constraints, caps=(*constraints.caps, *caps), shares=tuple(shares), taken=taken)


def breaks(placed: list[int], constraints: Constraints) -> bool:
    """Whether a slate breaks a window, a cap across the page, a share, or shows what stands elsewhere."""
    if constraints.taken is not None and any(constraints.taken[i] for i in placed):
        return True
    for cap in constraints.caps:
        owned = [cap.values.own(i) for i in placed]
        if cap.window:
            for start in range(len(placed)):
                counts = Counter(code for own in owned[start : start + cap.window] for code in own)
                if max(counts.values(), default=0) > cap.limit:
                    return True
        if cap.held is not None:
            counts = Counter(code for own in owned for code in own)
            if any(cap.held[code] + n > cap.limit for code, n in counts.items()):
                return True
    return any(sum(bool(share.members[i]) for i in placed) > share.most for share in constraints.shares)


@given(crowded_problems(), EXPLORATIONS, st.text(max_size=5), st.booleans())
def test_windows_pages_and_shares_are_never_broken(
    problem: tuple[np.ndarray, int, Constraints], exploration: tuple[float, float], decision_id: str, draws: bool
) -> None:
    scores, count, constraints = problem
    numbers = numbers_of(1, "p", decision_id, count)
    slate = (
        build(scores, count, constraints, Exploration(*exploration).chooser(numbers))
        if draws
        else build(scores, count, constraints)
    )
    placed = [choice.candidate for choice in slate.chosen]
    whole = replace(constraints, caps=tuple(cap for cap in constraints.caps if not cap.window and cap.held is None))
    for place, candidate in enumerate(placed):
        assert fits(placed[:place], candidate, scores, whole)
    assert not breaks(placed, constraints)
    if len(placed) < count:
        assert not any(
            fits(placed, i, scores, whole) and not breaks([*placed, i], constraints) for i in range(len(scores))
        )
    for share in constraints.shares:
        assert (share.name in slate.short) == (sum(bool(share.members[i]) for i in placed) < share.least)


@given(crowded_problems())
def test_a_share_is_short_only_where_no_more_of_it_may_stand_there(
    problem: tuple[np.ndarray, int, Constraints],
) -> None:
    scores, count, constraints = problem
    alone = replace(constraints, pins=(), shares=constraints.shares[:1])
    slate = build(scores, count, alone)
    placed = [choice.candidate for choice in slate.chosen]
    if not slate.short:
        return
    share = alone.shares[0]
    whole = replace(alone, caps=tuple(cap for cap in alone.caps if not cap.window and cap.held is None))
    rest = [i for i in np.flatnonzero(share.members).tolist() if i not in placed]
    # From where the share was owed, each position took one of it wherever one might stand there.
    for place in range(max(count - share.least, 0), len(placed)):
        if not share.members[placed[place]]:
            before = placed[:place]
            assert not any(fits(before, i, scores, whole) and not breaks([*before, i], alone) for i in rest)
