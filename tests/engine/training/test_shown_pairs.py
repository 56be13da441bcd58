"""Two items are shown as a pair only where five distinct people stand behind it; below that content fills in."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.engine.engine import Engine
from bespeak.models.content import Content
from bespeak.models.item_weights.ease import Ease
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.popular.popularity import Popularity
from bespeak.signals.items import Item

ITEMS = [
    Item(id="drill", title="Drill", attributes={"category": "tools"}),
    Item(id="saw", title="Hand saw", attributes={"category": "tools"}),
    Item(id="tea", title="Green tea", attributes={"category": "food"}),
    *(Item(id=f"book{n}", title=f"Novel {n}", attributes={"category": "books"}) for n in range(6)),
]
PAIR = ("drill", "tea")


def view(item: str, **who: str) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "properties": {"product_id": item}, **who}


def both(n: int) -> list[dict[str, Any]]:
    return [view(item, userId=f"u{person}") for person in range(n) for item in PAIR]


def readers() -> list[dict[str, Any]]:
    """What else there is to learn from: whoever reads, reads several books."""
    return [view(f"book{(n + shift) % 6}", userId=f"reader{n}") for n in range(12) for shift in range(3)]


def trained(engine: Engine, events: list[dict[str, Any]]) -> Engine:
    engine.items.put(ITEMS)
    engine.track([*readers(), *events], source="backend")
    engine.models.train(candidates=[Ease(l2=1.0), ItemNeighbours(shrinkage=0.0), Content(), Popularity()])
    return engine


def similar_to_drill(engine: Engine) -> dict[str, list[str]]:
    """Item id -> why it stands beside the drill: the sources that proposed it, the sentences that name the drill."""
    slate = engine.decide("similar", item="drill", count=9, explain=True)
    return {
        shown.item_id: [
            *(source for source in shown.sources if source in ("neighbours", "content", "alike")),
            *(reason.text for reason in shown.reasons if "Drill" in reason.text),
        ]
        for shown in slate
    }


@pytest.mark.parametrize(("n_people", "is_shown"), [(4, False), (5, True)])
def test_a_pair_is_listed_from_five_people_on_and_content_fills_in_below(
    engine: Engine, n_people: int, is_shown: bool
) -> None:
    found = similar_to_drill(trained(engine, both(n_people)))
    assert found["tea"] == (["neighbours", "people who viewed Drill also viewed this"] if is_shown else [])
    assert found["saw"][:2] == ["content", "alike"]
    assert "similar to Drill" in found["saw"]


def test_one_person_with_fifty_events_counts_once(engine: Engine) -> None:
    found = similar_to_drill(
        trained(engine, [*both(4), *(view(item, userId="u0") for _ in range(25) for item in PAIR)])
    )
    assert found["tea"] == []


def test_two_devices_of_one_person_count_once(engine: Engine) -> None:
    devices = [view(item, anonymousId=f"phone{n}") for n in range(2) for item in PAIR]
    logins = [{"type": "identify", "userId": "both", "anonymousId": f"phone{n}"} for n in range(2)]
    found = similar_to_drill(trained(engine, [*both(3), *devices]))
    assert found["tea"] == ["neighbours", "people who viewed Drill also viewed this"], "five strangers, as far as known"
    engine.track(logins, source="backend")
    engine.models.train(candidates=[Ease(l2=1.0), ItemNeighbours(shrinkage=0.0), Content(), Popularity()])
    assert similar_to_drill(engine)["tea"] == []


@pytest.mark.parametrize(("n_people", "is_named"), [(4, False), (5, True)])
def test_a_reason_names_the_item_behind_it_from_five_people_on(engine: Engine, n_people: int, is_named: bool) -> None:
    trained(engine, both(n_people))
    engine.track([view("drill", userId="visitor")], source="backend")
    slate = engine.decide("home", user_id="visitor", count=9, explain=True)
    tea = next(shown for shown in slate if shown.item_id == "tea")
    assert any(reason.signal == "model.ease" for reason in tea.reasons), "what few people share still ranks"
    assert any("Drill" in reason.text for reason in tea.reasons) is is_named


def test_an_item_put_after_training_is_scored_by_the_next_decision(engine: Engine) -> None:
    trained(engine, both(5))
    engine.track([view(f"book{n}", userId="visitor") for n in range(2)], source="backend")
    engine.items.put([Item(id="novel", title="Novel", attributes={"category": "books"})])
    slate = engine.decide("home", user_id="visitor", count=9, explain=True)
    told = {reason.signal: reason.text for shown in slate if shown.item_id == "novel" for reason in shown.reasons}
    for model in ("ease", "item_neighbours", "content"):
        assert told[f"model.{model}"].startswith("new, like Novel ")
    assert told["model.content"].endswith(", which you viewed")
