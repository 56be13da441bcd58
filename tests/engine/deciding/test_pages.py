"""Whole pages through the engine: rows that are logged as decisions, and rules about what a person was shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bespeak.engine.engine import Engine
from bespeak.errors import ConfigError, InvalidInput, RuleError, UnknownName
from bespeak.storage.tables import records

HOUR_MS = 3_600_000
PAGE = {"own": {"rows": ["home", "recently_viewed", {"placement": "genres", "at_most": 2}], "count": 4, "min_items": 2}}


def fill(engine: Engine, n_items: int = 40) -> None:
    items = [{"id": f"p{n}", "title": f"T{n}", "attributes": {"genre": "abcd"[n % 4]}} for n in range(n_items)]
    engine.items.put(items)
    views = [
        {"type": "track", "event": "Product Viewed", "userId": "u1", "properties": {"product_id": f"p{n}"}}
        for n in (0, 4, 9)
    ]
    engine.track(views, source="backend")


def saw(decision_id: str, *item_ids: str, user: str = "u1") -> dict[str, Any]:
    items = [{"id": item, "position": place} for place, item in enumerate(item_ids, 1)]
    return {"type": "track", "event": "Recommendation Viewed", "userId": user,
            "properties": {"decisionId": decision_id, "items": items}}  # fmt: skip


def test_each_row_is_a_decision_of_its_own_with_its_place_on_the_page(make: Callable[..., Engine]) -> None:
    engine = make({"pages": PAGE})
    fill(engine)
    page = engine.page("own", user_id="u1")
    assert page.to_json()["pageId"] == page.page_id
    assert [row["row"] for row in page.to_json()["rows"]] == list(range(1, len(page) + 1))
    engine.core.drain()
    for place, slate in enumerate(page, 1):
        held = engine.decision(slate.decision.decision_id)
        assert held is not None
        assert held.page is not None
        assert (held.page.page_id, held.page.page, held.page.row) == (page.page_id, "own", place)
        assert [item.item_id for item in held.items] == slate.item_ids
    shown = [item for slate in page for item in slate.item_ids]
    assert len(shown) == len(set(shown))
    assert "recently_viewed" in {slate.decision.placement for slate in page}
    again = engine.page("own", user_id="u1", page_id=page.page_id)
    assert [slate.item_ids for slate in again] == [slate.item_ids for slate in page]


def test_a_store_that_is_away_gives_the_page_of_what_is_popular(make: Callable[..., Engine]) -> None:
    engine = make({"pages": {"own": {**PAGE["own"], "rows": ["home", "more", "recently_viewed", "genres"]}},
                   "placements": {"more": {"like": "home"}}})  # fmt: skip
    fill(engine)
    engine.page("own")
    engine.core.drain()
    engine.core.store.close()
    page = engine.page("own", user_id="u1")
    assert {slate.decision.mode for slate in page} == {"fallback"}
    assert {slate.decision.placement for slate in page} == {"home", "more"}  # nobody named a genre


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"page": "ownn"}, UnknownName),
        ({"page": "own", "filter": "price <"}, RuleError),
        ({"page": "own", "filter": "prize < 3"}, RuleError),
        ({"page": "own", "exclude": ["x"] * 20_000}, InvalidInput),
    ],
)
def test_bad_input_is_refused(make: Callable[..., Engine], asked: dict[str, Any], error: type[Exception]) -> None:
    engine = make({"pages": PAGE})
    fill(engine)
    with pytest.raises(error):
        engine.page(**asked)


def test_a_page_of_a_placement_that_is_not_there_is_refused_with_the_file(make: Callable[..., Engine]) -> None:
    with pytest.raises(ConfigError, match=r"bespeak.toml.*pages.own"):
        make({"pages": {"own": {"rows": ["hom"]}}})


def test_what_was_seen_rests_at_every_placement_and_comes_back(make: Callable[..., Engine], clock: Any) -> None:
    engine = make({"placements": {"home": {"cooling_off": [{"times": 1, "hours": 5}]}}})
    fill(engine)
    first = engine.decide("home", user_id="u1", count=3)
    other = engine.decide("trending_for_you", user_id="u1", count=3)
    engine.core.drain()
    seen = [*first.item_ids[:1], *other.item_ids[:1]]
    engine.track(
        [saw(first.decision.decision_id, first.item_ids[0]), saw(other.decision.decision_id, *other.item_ids[:1])],
        source="backend",
    )
    with engine.core.store.read() as session:
        assert records.shown_since(session, 1, 0, 10)
    assert not set(seen) & set(engine.decide("home", user_id="u1", count=40).item_ids)
    assert first.item_ids[0] in engine.decide("home", user_id="u2", count=40).item_ids
    clock.advance(6 * HOUR_MS)
    assert first.item_ids[0] in engine.decide("home", user_id="u1", count=40).item_ids


def test_whoever_may_not_be_measured_is_asked_for_no_exposures(make: Callable[..., Engine], clock: Any) -> None:
    engine = make({"placements": {"home": {"cooling_off": [{"times": 1, "hours": 5}]}}})
    fill(engine)
    slate = engine.decide("home", user_id="u1", count=3)
    engine.track([saw(slate.decision.decision_id, slate.item_ids[0])], source="backend")
    clock.advance(1)
    consent = {"consent": {"categoryPreferences": {"personalize": True, "measure": False}}}
    engine.track([{"type": "track", "event": "Product Viewed", "userId": "u1", "context": consent,
                   "properties": {"product_id": "p0"}}], source="backend")  # fmt: skip
    assert slate.item_ids[0] in engine.decide("home", user_id="u1", count=40).item_ids
