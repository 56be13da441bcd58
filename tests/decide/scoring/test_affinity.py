"""What a person likes, as numbers for the values of facets."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest
from bespeak.decide.scoring.affinity import AFFINITY_PRIOR, facet_values
from bespeak.decide.situation import Situation
from bespeak.decide.world import World


def test_liking_what_many_items_have_says_less_than_liking_what_few_have(world: World, now_ms: int) -> None:
    person = PersonView(person=1, affinities={"genre": {"horror": 9.0}, "brand": {"b0": 9.0}})
    placement = world.placement("home")
    request = DecideRequest(placement="home").checked()
    found = facet_values(Situation.of(Occasion(request, person, world, now_ms), placement)).affinity
    trust = 9 / (9 + AFFINITY_PRIOR) / np.sqrt(2)  # two facets have something to say
    horror, b0 = found.of("genre").max(), found.of("brand").max()
    assert horror == pytest.approx(trust * (1 - 10 / 40))
    assert b0 == pytest.approx(trust * (1 - 14 / 40))
    assert found.of("genre")[-1] == found.of("brand")[-1] == 0.0  # pads
