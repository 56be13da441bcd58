"""Features are the same whether a slate stands alone or beside others that share its reading."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest
from bespeak.decide.scoring.features import compute
from bespeak.decide.situation import Situation
from bespeak.decide.world import World

STEPS = [("horror1", "purchase", 30.0), ("comedy2", "view", 2.0), ("war0", "exposure", 1.0), ("war0", "exposure", 0.5)]


def situation_of(world: World, person: PersonView | None, now_ms: int, placement: str) -> Situation:
    asked = DecideRequest(placement=placement, item="horror1")
    return Situation.of(Occasion(asked, person, world, now_ms), world.placement(placement))


@pytest.mark.parametrize("placement", ["home", "similar", "recently_viewed"])
@pytest.mark.parametrize("is_known", [True, False])
def test_candidates_beside_others_have_the_features_that_they_have_alone(
    world: World, person: Callable[..., PersonView], now_ms: int, placement: str, is_known: bool
) -> None:
    whom = person(*STEPS) if is_known else None
    rows, beside = np.array([3, 8, 21], np.int32), np.array([1, 3, 8, 9, 21, 30], np.int32)

    alone = compute(situation_of(world, whom, now_ms, placement), rows)
    shared = compute(situation_of(world, whom, now_ms, placement), rows, beside)

    assert shared.names == alone.names
    assert shared.values.tobytes() == alone.values.tobytes()


def test_how_often_an_item_was_touched_and_shown_counts_by_its_logarithm(
    world: World, person: Callable[..., PersonView], now_ms: int
) -> None:
    rows = world.catalogue.positions(["war0", "horror1", "drama3"])

    matrix = compute(situation_of(world, person(*STEPS), now_ms, "home"), rows)

    touched = dict(zip(matrix.names, matrix.values.T.tolist(), strict=True))
    assert touched["repeat"] == pytest.approx([np.log(3) / np.log(11), np.log(2) / np.log(11), 0.0])
    assert touched["fatigue"] == pytest.approx([np.log(3) / np.log(11), 0.0, 0.0])
