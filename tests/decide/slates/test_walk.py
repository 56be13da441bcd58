"""The slate that nothing is drawn for is the same by one walk down the scores as position by position."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.decide.slates.slate import Cap, Constraints, Diversity, Pin, Share, Slate, Values, build
from bespeak.decide.slates.walk import best_candidates, best_slate

N = 60


def random_values(rng: np.random.Generator, n_values: int) -> Values:
    return Values(rng.integers(0, n_values + 1, (N, 3)).astype(np.int32), n_values)


def random_constraints(rng: np.random.Generator) -> Constraints:
    caps = [Cap("tags", int(rng.integers(1, 4)), random_values(rng, 9))] if rng.random() < 0.7 else []
    if rng.random() < 0.5:
        caps.append(Cap("brand", 2, random_values(rng, 20), held=rng.integers(0, 3, 20)))
    return Constraints(
        groups=rng.integers(0, 25, N).astype(np.int32) if rng.random() < 0.7 else None,
        caps=tuple(caps),
        min_score=float(rng.normal() - 0.5) if rng.random() < 0.5 else None,
        taken=rng.random(N) < 0.3 if rng.random() < 0.5 else None,
    )


def told(slate: Slate) -> object:
    closings = [(closing.rule, closing.closed.tolist(), closing.cause) for closing in slate.closings]
    return slate.chosen, closings, slate.unmet, slate.short


@pytest.mark.parametrize("seed", range(300))
def test_a_walk_takes_what_the_builder_takes_and_tells_what_each_rule_closed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=N), 1)  # with equals
    scores[rng.random(N) < 0.05] = -np.inf
    constraints, count = random_constraints(rng), int(rng.integers(1, 15))
    best_first = np.argsort(-scores, kind="stable")

    built = build(scores, count, constraints)

    assert told(best_slate(scores, best_first, count, constraints)) == told(built)
    chosen = [choice.candidate for choice in built.chosen]
    assert best_candidates(scores, best_first, count, constraints) == chosen


@pytest.mark.parametrize(
    "constraints",
    [
        Constraints(pins=(Pin(2, np.arange(N) == 7),)),
        Constraints(shares=(Share("own", np.arange(N) % 5 == 0, 3, 4),)),
        Constraints(caps=(Cap("brand", 1, Values(np.arange(N, dtype=np.int32)[:, None] // 15, 4), window=3),)),
        Constraints(diversity=Diversity(0.7, (Values(np.arange(N, dtype=np.int32)[:, None] // 15, 4),))),
    ],
    ids=["a pin", "a share", "a window", "diversity"],
)
def test_rules_that_go_by_the_position_are_built(constraints: Constraints) -> None:
    scores = np.linspace(1, 0, N)
    best_first = np.arange(N)

    built = build(scores, 8, constraints)

    assert told(best_slate(scores, best_first, 8, constraints)) == told(built)
    chosen = [choice.candidate for choice in built.chosen]
    assert best_candidates(scores, best_first, 8, constraints) == chosen
    assert chosen != list(range(8))
