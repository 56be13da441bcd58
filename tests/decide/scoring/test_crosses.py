"""Context crosses: columns only where they are declared and only while they hold, with exact reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bespeak.decide.decide import Ranked, decide, rank
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.rankers.score import Weights
from bespeak.decide.request import DecideRequest
from bespeak.decide.scoring.crosses import CIRCUMSTANCES, MAX_VALUES, circumstance, read_cross
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.situation import Situation
from bespeak.decide.world import World
from bespeak.signals.events import Context
from bespeak.signals.items import Item

People = Callable[..., PersonView]
EVENING = Context(device="mobile", local_hour=20, local_weekday=5, declared={"mood": "sad"})


def crossed(world: World, *crosses: str, **changes: Any) -> World:
    placements = placements_from({"home": {"crosses": list(crosses), "hide_seen": {}}})
    return dataclasses.replace(world, placements=placements, **changes)


def ranked(world: World, context: Context, person: PersonView | None, now_ms: int) -> Ranked:
    return rank(Occasion(DecideRequest(placement="home", count=10, context=context), person, world, now_ms))


def column(found: Ranked, name: str) -> dict[str, float]:
    ids = found.situation.world.catalogue.item_ids
    values = found.matrix.values[:, found.matrix.names.index(name)]
    return {ids[row]: float(value) for row, value in zip(found.candidates.rows, values, strict=True)}


def test_a_facet_has_a_column_for_each_value_in_the_circumstance_that_holds(world: World, now_ms: int) -> None:
    found = ranked(crossed(world, "daypart * genre"), EVENING, None, now_ms)
    names = {name for name in found.matrix.names if name.startswith("cross.")}
    assert names == {f"cross.daypart=evening*genre={g}" for g in ("horror", "comedy", "drama", "war")}
    for item, value in column(found, "cross.daypart=evening*genre=war").items():
        assert value == float(item.startswith("war"))


def test_attributes_numbers_and_other_signals_are_crossed_too(world: World, now_ms: int) -> None:
    found = ranked(crossed(world, "device * mood", "day * price", "declared.mood * popular"), EVENING, None, now_ms)
    catalogue = world.catalogue
    moods = column(found, "cross.device=mobile*mood=calm")
    assert all(
        value == (catalogue.items[catalogue.index[i]].attributes["mood"] == "calm") for i, value in moods.items()
    )
    prices = column(found, "cross.day=weekend*price")
    numbers = catalogue.numbers["price"]
    for item, value in prices.items():
        wanted = (numbers[catalogue.index[item]] - numbers.mean()) / (2 * numbers.std())
        assert value == pytest.approx(np.clip(wanted, -1, 1))
    assert column(found, "cross.declared.mood=sad*popular") == column(found, "popular")


def test_nothing_is_crossed_undeclared_or_in_unknown_circumstances(world: World, now_ms: int) -> None:
    assert not any(n.startswith("cross.") for n in ranked(world, EVENING, None, now_ms).matrix.names)
    silent = crossed(world, "daypart * genre", "device * nothing", "stage * genre", "trait.age_band * genre")
    assert not any(n.startswith("cross.") for n in ranked(silent, Context(), None, now_ms).matrix.names)


def test_a_weight_decides_and_its_reason_is_exact(world: World, person: People, now_ms: int) -> None:
    name = "cross.daypart=evening*genre=war"
    liked = crossed(world, "daypart * genre", learned={"home": Weights(learned={name: 5.0}, version=4)})
    request = DecideRequest(placement="home", count=5, context=EVENING, explain=True)
    decision = decide(Occasion(request, person(("comedy1", "view", 1.0)), liked, now_ms, "d"))
    assert all(item.item_id.startswith("war") for item in decision.items)
    assert decision.weights_version == 4
    for item in decision.items:
        reason = next(reason for reason in item.reasons if reason.signal == name)
        assert reason.contribution == 5.0
        assert reason.text == "genre war is often chosen in the evening"
        assert item.features[name] == 1.0
        assert sum(r.contribution for r in item.reasons) == pytest.approx(item.score, abs=1e-12)
    morning = DecideRequest(placement="home", count=5, context=Context(local_hour=8))
    assert not all(item.item_id.startswith("war") for item in decide(Occasion(morning, None, liked, now_ms, "d")).items)


def test_the_circumstances_of_a_request_and_of_a_person(world: World, person: People, now_ms: int) -> None:
    def of(name: str, who: PersonView | None, context: Context = EVENING, query: str = "") -> str:
        request = DecideRequest(placement="home", context=context, query=query)
        return circumstance(Situation.of(Occasion(request, who, world, now_ms), world.placement("home")), name)

    someone = person(("war1", "view", 1.0))
    told = {name: of(name, someone) for name in CIRCUMSTANCES}
    assert told == {
        "hour": "20", "daypart": "evening", "weekday": "5", "day": "weekend", "device": "mobile", "os": "",
        "locale": "", "language": "", "country": "", "referrer": "", "campaign": "", "medium": "", "stage": "new",
        "intent": "browsing",
    }  # fmt: skip
    assert of("intent", someone, query="war") == "searching"
    assert of("intent", person(("war1", "cart", 1.0))) in ("buying", "browsing")
    assert of("intent", person(("war1", "view", 500.0))) == "arriving"
    refused = PersonView.refused()
    assert (of("stage", refused), of("intent", refused), of("trait.age_band", refused)) == ("", "", "")
    assert of("trait.age_band", dataclasses.replace(someone, traits={"age_band": ("25-34",)})) == "25-34"


@pytest.mark.parametrize(
    "text", ["", "daypart", "daypart *", "* genre", "moon * genre", "trait. * genre", "day * a * b"]
)
def test_what_is_no_cross_is_none(text: str) -> None:
    assert read_cross(text) is None


def test_only_the_most_common_values_are_crossed(build_world: Callable[..., World], now_ms: int) -> None:
    items = [Item(id=f"i{n}", attributes={"genre": [f"g{n % 60 if n < 100 else 7}"]}) for n in range(200)]
    wide = crossed(build_world(items, has_models=False), "device * genre")
    names = [n for n in ranked(wide, EVENING, None, now_ms).matrix.names if n.startswith("cross.")]
    assert len(names) <= MAX_VALUES
    assert "cross.device=mobile*genre=g7" in names


def test_click_rates_are_a_signal_and_fatigue_counts_what_was_shown(world: World, person: People, now_ms: int) -> None:
    rates = np.linspace(-1, 1, len(world.catalogue))
    rated = crossed(world, click_rates={"home": rates})
    found = ranked(rated, EVENING, person(("war1", "exposure", 2.0), ("war1", "exposure", 3.0), ("war2", "view", 2.0)),
                   now_ms)  # fmt: skip
    values = column(found, "click_rate")
    assert all(value == rates[world.catalogue.index[item]] for item, value in values.items())
    tired = column(found, "fatigue")
    assert {item for item, value in tired.items() if value} <= {"war1"}
    with pytest.raises(ValueError, match="click rates of home"):
        crossed(world, click_rates={"home": np.zeros(3)})
