"""Whatever the candidates and the constraints: no constraint is ever violated."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bespeak.decide.slate import Cap, Choice, Constraints, build

SIZES = st.integers(0, 30)


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, int, Constraints]:
    n = draw(SIZES)
    scores = draw(arrays(np.float64, n, elements=st.floats(-5, 5, allow_nan=False).map(lambda x: round(x, 1))))
    groups = draw(st.none() | arrays(np.int32, n, elements=st.integers(0, 6)))
    caps = []
    for place in range(draw(st.integers(0, 2))):
        width, n_values = draw(st.integers(1, 3)), draw(st.integers(1, 5))
        codes = draw(arrays(np.int32, (n, width), elements=st.integers(0, n_values)))
        caps.append(Cap(f"c{place}", draw(st.integers(1, 4)), codes, n_values))
    least = draw(st.none() | st.floats(-5, 5))
    return scores, draw(st.integers(1, 20)), Constraints(groups, tuple(caps), least)


def fits(placed: list[int], candidate: int, scores: np.ndarray, constraints: Constraints) -> bool:
    """The constraints said once more, in the plainest way."""
    slate = [*placed, candidate]
    if candidate in placed or (constraints.min_score is not None and scores[candidate] < constraints.min_score):
        return False
    if constraints.groups is not None and len({int(constraints.groups[i]) for i in slate}) < len(slate):
        return False
    for cap in constraints.caps:
        held = Counter(code for i in slate for code in set(cap.codes[i].tolist()) if code < cap.n_values)
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
