"""How near items are to a place: by the great circle, and never so exactly that a record tells an address."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.request import DecideRequest
from bespeak.decide.scoring.nearness import distances_km, nearness
from bespeak.decide.world import World
from bespeak.errors import InvalidInput
from bespeak.signals.items import Item

BERLIN, HAMBURG, AUCKLAND = (52.52, 13.40), (53.55, 9.99), (-36.85, 174.76)


@pytest.fixture
def places(build_world: Callable[..., World]) -> World:
    items = [
        Item(id=name, title=name, attributes={"latitude": place[0], "longitude": place[1]})
        for name, place in {"berlin": BERLIN, "hamburg": HAMBURG, "auckland": AUCKLAND}.items()
    ]
    return build_world([*items, Item(id="nowhere"), Item(id="half", attributes={"latitude": 52.5})], has_models=False)


def test_distances_are_those_of_the_great_circle(places: World) -> None:
    km = dict(zip(places.catalogue.item_ids, distances_km(places.catalogue, BERLIN), strict=True))
    assert km["berlin"] == 0
    assert km["hamburg"] == pytest.approx(255, abs=2)
    assert km["auckland"] == pytest.approx(17_740, abs=60)
    assert np.isnan([km["nowhere"], km["half"]]).all()


def test_the_nearer_an_item_is_the_more_it_counts_and_without_a_place_it_counts_nothing(places: World) -> None:
    near = dict(zip(places.catalogue.item_ids, nearness(places.catalogue, BERLIN), strict=True))
    assert near["berlin"] == 1
    assert near["hamburg"] == pytest.approx(10 / 265, abs=1e-3)
    assert (near["nowhere"], near["half"]) == (0, 0)


def test_a_slate_says_so_and_the_place_itself_is_not_kept(places: World, now_ms: int) -> None:
    asked = DecideRequest(placement="home", near=(53.5512, 9.9897), explain=True)
    decision = decide(Occasion(asked, None, places, now_ms, "d"))
    assert decision.items[0].item_id == "hamburg"
    assert ("near", "near you") in {(reason.signal, reason.text) for reason in decision.items[0].reasons}
    assert decision.items[0].features["near"] == pytest.approx(1.0)  # its exact place would be .99
    assert "53.55" not in repr(decision)


@pytest.mark.parametrize("near", [(91.0, 0.0), (0.0, -181.0), (float("nan"), 0.0)])
def test_what_is_no_place_on_earth_is_refused(near: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput, match="`near` is no place on earth"):
        DecideRequest(placement="home", near=near).checked()
