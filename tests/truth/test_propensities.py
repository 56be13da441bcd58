"""Logged propensities are true: what was drawn is as frequent as the record says, position by position."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
import pytest
from scipy.stats import chi2

from bespeak.decide.slates.exploration import Exploration, numbers_of
from bespeak.decide.slates.slate import Cap, Choice, Constraints, Diversity, Pin, Values, build
from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.web.tokens import make_token_key

N_SLATES = 67_000  # of three draws and an item that is pinned: over 200,000 draws
N_DECISIONS = 2_000
COUNT = 4
START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
ITEMS = 10

Drawn = Iterable[list[tuple[int, float]]]  # slates of (item, propensity)


def agreement(slates: Drawn) -> float:
    """The p-value of all frequencies at once: how often true propensities would be missed by more than these.

    Chi-square over every prefix; items of a prefix that are expected fewer than five times are one.
    """
    seen: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    said: dict[tuple[int, ...], dict[int, float]] = defaultdict(dict)
    for slate in slates:
        for place, (item, propensity) in enumerate(slate):
            prefix = tuple(before for before, _ in slate[:place])
            seen[prefix][item] += 1
            assert said[prefix].setdefault(item, propensity) == propensity  # the same prefix, the same chance
    distance, freedom = 0.0, 0
    for prefix, counts in seen.items():
        n = counts.total()
        often = {item: n * p for item, p in said[prefix].items() if n * p >= 5}
        cells = [(counts[item], expected) for item, expected in often.items()]
        rest = n - sum(often.values())
        assert rest > -1e-6 * n  # what is said of one prefix adds up to 1 at most
        if rest >= 5:
            cells.append((n - sum(counts[item] for item in often), rest))
        if len(cells) > 1:
            covered = sum(expected for _, expected in cells) / sum(count for count, _ in cells)
            distance += sum((count * covered - expected) ** 2 / expected for count, expected in cells)
            freedom += len(cells) - 1
    assert freedom > 10
    return float(chi2.sf(distance, freedom))


def constrained() -> tuple[np.ndarray, Constraints]:
    """Eight candidates of which one scores too little, with groups, a cap, diversity and two pins."""
    genres = Values(np.array([[0], [0], [0], [1], [1], [2], [2], [2]], np.int32), 3)
    is_ad = np.array([0, 0, 0, 0, 0, 1, 1, 0], np.bool_)
    return np.array([3.0, 2.6, 2.5, 2.0, 1.8, 1.5, 1.2, -4.0]), Constraints(
        groups=np.array([0, 0, 1, 2, 3, 4, 5, 6], np.int32),
        caps=(Cap("genre", 2, genres),),
        min_score=-1.0,
        pins=(Pin(2, np.arange(8) == 4), Pin(3, is_ad)),
        diversity=Diversity(0.3, (genres,)),
    )


def test_on_the_slate_builder_frequencies_match_and_weights_average_to_one():
    scores, constraints = constrained()
    exploration = Exploration(0.2, temperature=0.7)
    slates: list[list[tuple[int, float]]] = []
    weights = np.ones(N_SLATES)
    for n in range(N_SLATES):
        draw = exploration.chooser(numbers_of(7, "home", str(n), COUNT))

        def choose(offered: np.ndarray, is_open: np.ndarray, position: int, n=n, draw=draw) -> Choice:
            choice = draw(offered, is_open, position)
            weights[n] /= choice.propensity * np.count_nonzero(is_open)  # of a policy that draws evenly
            return choice

        slates.append([(c.candidate, c.propensity) for c in build(scores, COUNT, constraints, choose).chosen])
    assert {slate[1] for slate in slates} == {(4, 1.0)}
    assert {slate[2][0] for slate in slates} == {5, 6}
    assert agreement(slates) > 0.001
    assert abs(weights.mean() - 1) < 4 * weights.std() / np.sqrt(N_SLATES)
    assert weights.std() > 0.1


def test_frequencies_that_are_not_those_logged_are_noticed():
    scores, constraints = constrained()
    drawn, logged = Exploration(0.2, temperature=0.7), Exploration(0.3, temperature=0.7)
    slates = []
    for n in range(5_000):
        draw = drawn.chooser(numbers_of(7, "home", str(n), COUNT))

        def choose(offered: np.ndarray, is_open: np.ndarray, position: int, draw=draw) -> Choice:
            taken = draw(offered, is_open, position).candidate
            return Choice(taken, float(logged.probabilities(offered, is_open)[taken]))

        slates.append([(c.candidate, c.propensity) for c in build(scores, COUNT, constraints, choose).chosen])
    assert agreement(slates) < 1e-6


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    root = tmp_path_factory.mktemp("explored") / "project"
    home = {"explore": 0.4, "temperature": 0.1, "caps": {"brand": 1}, "pins": [{"position": 2, "item": "p3"}]}
    create(root, token_key=make_token_key(), settings={"placements": {"home": home}})
    with Engine.open(root, clock=VirtualClock(START_MS)) as opened:
        ages = [{"publishedAt": iso(START_MS - n * 3 * DAY_MS)} for n in range(ITEMS)]
        brands = [{"attributes": {"brand": f"b{n // 2}"}} for n in range(ITEMS)]
        opened.items.put([{"id": f"p{n}", "title": "x", **ages[n], **brands[n]} for n in range(ITEMS)])
        yield opened


def test_two_thousand_decisions_through_an_engine_agree_with_their_records(engine):
    ids: dict[str, int] = {f"p{n}": n for n in range(ITEMS)}
    slates = []
    for n in range(N_DECISIONS):
        shown = engine.decide("home", count=3, decision_id=f"d{n}")
        slates.append([(ids[item.item_id], item.propensity) for item in shown])
    assert all(len(slate) == 3 and slate[1] == (3, 1.0) for slate in slates)
    assert all(len({item // 2 for item, _ in slate}) == 3 for slate in slates)
    assert agreement(slates) > 0.001
    # Beside the pin and its brand eight may stand first, and six of four brands third.
    weights = np.array([1 / (first * 8 * third * 6) for (_, first), _, (_, third) in slates])
    assert weights.std() > 0.1
    assert abs(weights.mean() - 1) < 4 * weights.std() / np.sqrt(N_DECISIONS)
    engine.core.drain()
    record = engine.decision("d7")
    assert [(ids[item.item_id], item.propensity) for item in record.items] == slates[7]
