"""Placements with variants, through an engine: what is answered, logged and measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bespeak.engine.engine import Engine
from bespeak.errors import ConfigError
from bespeak.storage.tables import assignments, records

HERO = {
    "kind": "variant",
    "variants": {"plain": {"title": "Hello"}, "loyal": {"title": "Welcome back"}},
    "when": ["segment.buyers show loyal"],
}
SETTINGS = {
    "placements": {
        "hero": HERO,
        "flag": {"kind": "variant", "variants": {"off": False, "on": True}, "split": {"on": 0.25}},
        "tried": {**HERO, "launch": 0.5},
    },
    "segments": {"buyers": "orders >= 1"},
    "sources": {"shop": {"kind": "import", "consent": ["essential", "personalize", "measure", "improve"]}},
}


@pytest.fixture
def shop(make: Callable[..., Engine]) -> Engine:
    return make(SETTINGS)


def event(name: str, user: str, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": name, "userId": user, "messageId": f"{name}-{user}", "properties": properties}


def test_the_next_decision_sees_the_order_and_is_logged(shop: Engine) -> None:
    assert shop.decide("hero", user_id="ann").variant.id == "plain"  # type: ignore[union-attr]
    shop.track([event("Order Completed", "ann", order_id="o1", products=[{"product_id": "p1"}])], source="shop")
    slate = shop.decide("hero", user_id="ann", decision_id="d1")
    assert slate.variant is not None
    assert (slate.variant.id, slate.variant.source, slate.variant.value) == ("loyal", "rule", {"title": "Welcome back"})
    entry = slate.to_json()["items"][0]
    assert (entry["id"], entry["value"], entry["propensity"]) == ("loyal", {"title": "Welcome back"}, 1.0)
    shop.core.drain()
    record = shop.decision("d1")
    assert record is not None
    assert (record.kind, record.policy, record.mode) == ("variant", "hero@1", "profiled")
    assert record.person is not None


def test_a_variant_that_was_seen_is_an_exposure_and_no_item(shop: Engine) -> None:
    shop.decide("flag", user_id="ann", decision_id="d1")
    shop.track([event("Variant Viewed", "ann", decision_id="d1", variant="on")], source="shop")
    with shop.core.store.read() as session:
        person = shop.decisions.person(
            shop._ids("ann", ""), shop.core.request("flag", None).context, shop.core.now_ms()
        )
        assert person is not None
        seen = records.exposures_of(session, [person.person or 0])
    assert [(shown.decision_id, shown.item_id, shown.position) for shown in seen] == [("d1", "on", 1)]
    assert shop.items.get("on") == {}


def test_a_launch_counts_the_default_as_its_control(shop: Engine) -> None:
    users = [f"u{n}" for n in range(60)]
    shop.track(
        [event("Order Completed", user, order_id=user, products=[{"product_id": "p"}]) for user in users], "shop"
    )
    seen = Counter(shop.decide("tried", user_id=user).variant.id for user in users)  # type: ignore[union-attr]
    assert 15 < seen["plain"] < 45
    shop.core.drain()
    with shop.core.store.read() as session:
        held = Counter(found.variant for found in assignments.assigned_to(session, "tried-launch"))
    assert (held["control"], held["personalized"]) == (seen["plain"], seen["loyal"])


def test_two_thousand_shares_agree_with_their_records(shop: Engine) -> None:
    shown = [shop.decide("flag", anonymous_id=f"a{n}").variant for n in range(2_000)]
    weights = [0.5 / variant.propensity for variant in shown if variant is not None]
    assert abs(sum(weights) / 2_000 - 1) < 4 * 0.58 / 2_000**0.5
    assert abs(sum(variant is not None and variant.id == "on" for variant in shown) - 500) < 80


def test_a_changed_variant_is_a_new_version(make: Callable[..., Engine]) -> None:
    shop = make(SETTINGS)
    path = shop.core.folder.config_path
    path.write_text(path.read_text(encoding="utf-8").replace("Welcome back", "Good to see you"), encoding="utf-8")
    shop.core.apply()
    assert shop.decide("hero").decision.policy == "hero@2"
    assert shop.decide("flag").decision.policy == "flag@1"


@pytest.mark.parametrize(
    ("placement", "settings", "said"),
    [
        ("hero", {"kind": "banner", "variants": ["a"]}, "Allowed: items, variant, message"),
        ("home", {"kind": "variant", "variants": ["a"]}, "built in"),
        ("hero", {**HERO, "when": ["segment.nobody show plain"]}, "nobody"),
        ("hero", {"kind": "variant"}, "variants"),
    ],
)
def test_what_is_wrong_is_refused_with_its_key(
    make: Callable[..., Engine], placement: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=rf"placements\.{placement}.*{said}"):
        make({"placements": {placement: settings}})
