"""Offers through an engine: codes, budget and expiry, and that what is used up is shown no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bespeak.engine.checks import PASS
from bespeak.engine.checks.catalogue import actions
from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.errors import InvalidInput, UnknownName
from bespeak.signals.events import Context

ALL = ["essential", "personalize", "measure", "improve"]
SETTINGS = {
    "placements": {"offers": {"kinds": ["offer"], "hide_seen": {}, "exclude_cart": False}},
    "sources": {"shop": {"kind": "import", "consent": ALL}},
}
DAY_MS = 86_400_000


@pytest.fixture
def shop(make: Callable[..., Engine], clock: VirtualClock) -> Engine:
    engine = make(SETTINGS)
    attributes: dict[str, Any] = {"value": 20.0, "cost": 5.0, "budget": 12.0}
    engine.items.put(
        [
            {"id": "spring", "kind": "offer", "title": "Spring", "attributes": attributes},
            {"id": "brief", "kind": "offer", "title": "Brief", "expiresAt": iso(clock.now_ms() + DAY_MS)},
            {"id": "p1", "title": "A product"},
        ]
    )
    users = [f"u{n}" for n in range(5)]
    events = [{"type": "track", "event": "Page Seen", "userId": u, "messageId": u, "properties": {}} for u in users]
    engine.track([{**e, "event": "Product Viewed", "properties": {"product_id": "p1"}} for e in events], source="shop")
    assert engine.offers.add_codes("spring", ["A", "B", "C", "D"]) == 4
    assert engine.offers.add_codes("brief", ["X", "Y"]) == 2
    return engine


def offered(engine: Engine) -> set[str]:
    engine.core.refresh()
    return set(engine.decide("offers", user_id="u0").item_ids)


def test_a_code_is_issued_once_to_each_and_kept(shop: Engine) -> None:
    one = shop.offers.issue("spring", user_id="u0")
    assert shop.offers.issue("spring", user_id="u0") == one
    assert shop.offers.issue("spring", user_id="u1").code != one.code


def test_an_offer_whose_budget_is_spent_is_refused_and_shown_no_more(shop: Engine) -> None:
    assert offered(shop) == {"spring", "brief"}
    shop.offers.issue("spring", user_id="u0")
    shop.offers.issue("spring", user_id="u1")
    assert shop.offers.used_up() == {"spring"}
    assert offered(shop) == {"brief"}
    assert shop.why_not("offers", "spring").rules == ("used_up",)
    with pytest.raises(InvalidInput, match="used up"):
        shop.offers.issue("spring", user_id="u2")
    assert shop.offers.issue("spring", user_id="u0").code  # who holds a code keeps it


def test_more_codes_and_a_larger_budget_bring_an_offer_back(shop: Engine) -> None:
    for user in ("u0", "u1"):
        shop.offers.issue("spring", user_id=user)
    shop.items.patch({"spring": {"attributes": {"budget": 100.0}}})
    assert offered(shop) == {"spring", "brief"}
    for user in ("u2", "u3"):
        shop.offers.issue("spring", user_id=user)
    assert offered(shop) == {"brief"}
    assert shop.offers.add_codes("spring", ["D", "E"]) == 1
    assert offered(shop) == {"spring", "brief"}


def test_a_budget_of_three_times_the_cost_pays_three_codes(shop: Engine) -> None:
    shop.items.patch({"spring": {"attributes": {"cost": 0.1, "budget": 0.3}}})
    for user in ("u0", "u1", "u2"):
        shop.offers.issue("spring", user_id=user)
    with pytest.raises(InvalidInput, match="used up"):
        shop.offers.issue("spring", user_id="u3")


def test_a_budget_that_was_sent_as_text_holds_and_one_without_a_cost_is_named(shop: Engine) -> None:
    shop.items.patch({"spring": {"attributes": {"cost": "5", "budget": "5.00"}}})
    shop.offers.issue("spring", user_id="u0")
    with pytest.raises(InvalidInput, match="used up"):
        shop.offers.issue("spring", user_id="u1")
    assert actions(shop.core).status == PASS
    for wrong, said in (({"cost": None}, "without `cost`"), ({"cost": 5, "budget": "a lot"}, "`budget` is no number")):
        shop.items.patch({"spring": {"attributes": wrong}})
        assert said in actions(shop.core).message


def test_an_offer_of_one_market_is_issued_where_it_is_shown(shop: Engine) -> None:
    markets = {"default": {"available": False}, "ch": {"price": 100}}
    shop.items.put([{"id": "alps", "kind": "offer", "title": "Alps", "markets": markets}])
    shop.offers.add_codes("alps", ["M"])
    shop.core.refresh()
    assert "alps" in shop.decide("offers", user_id="u0", market="ch").item_ids
    assert "alps" not in shop.decide("offers", user_id="u0").item_ids
    assert shop.offers.issue("alps", user_id="u0").code == "M"


def test_offers_stand_only_where_a_placement_names_their_kind(shop: Engine) -> None:
    shop.core.refresh()
    assert shop.decide("home").item_ids == ["p1"]
    assert shop.why_not("home", "spring").rules == ("kind",)
    assert shop.why_not("offers", "p1").rules == ("kind",)


def test_an_offer_for_some_is_issued_to_whoever_asks_for_themselves_only_where_its_rule_holds(shop: Engine) -> None:
    shop.items.patch({"brief": {"attributes": {"eligible": "orders >= 1"}}})
    shop.core.refresh()
    with pytest.raises(InvalidInput, match="not for this person"):
        shop.offers.issue("brief", user_id="u0", for_themselves=Context())
    order = {"order_id": "o1", "products": [{"product_id": "p1"}]}
    shop.track([{"type": "track", "event": "Order Completed", "userId": "u0", "properties": order}], source="shop")
    code = shop.offers.issue("brief", user_id="u0", for_themselves=Context())
    assert shop.offers.issue("brief", user_id="u1") != code  # the site vouches
    assert (
        shop.offers.issue("brief", user_id="u1", for_themselves=Context()).code == "Y"
    )  # and what they hold is theirs
    shop.items.patch({"spring": {"attributes": {"eligible": "no such rule"}}})
    with pytest.raises(InvalidInput, match="not for this person"):
        shop.offers.issue("spring", user_id="u0", for_themselves=Context())


def test_an_expired_offer_is_neither_shown_nor_issued(shop: Engine, clock: VirtualClock) -> None:
    clock.advance(2 * DAY_MS)
    assert offered(shop) == {"spring"}
    with pytest.raises(InvalidInput, match="expired"):
        shop.offers.issue("brief", user_id="u0")


def test_an_erased_persons_code_is_exported_before_and_nobodys_after(shop: Engine) -> None:
    code = shop.offers.issue("spring", user_id="u0").code
    assert shop.privacy.export("u0")["offers"] == [
        {"offer": "spring", "code": code, "issued": iso(shop.core.clock.now_ms())}
    ]
    receipt = shop.privacy.erase("u0")
    assert next(line.n_removed for line in receipt.lines if line.holder == "offers") == 1
    assert shop.offers.issue("spring", user_id="u1").code != code
    assert shop.offers.pools()[1].n_issued == 2


def test_what_is_wrong_is_refused(shop: Engine) -> None:
    with pytest.raises(InvalidInput, match="Nobody is known"):
        shop.offers.issue("spring", user_id="nobody")
    with pytest.raises(InvalidInput, match="Nobody is known"):
        shop.offers.issue("spring")
    with pytest.raises(UnknownName):
        shop.offers.issue("autumn", user_id="u0")
    with pytest.raises(UnknownName):
        shop.offers.add_codes("autumn", ["A"])
    for codes in ([""], ["x" * 201], ["a\0b"], [5]):
        with pytest.raises(InvalidInput, match="code"):
            shop.offers.add_codes("spring", codes)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="used up"):
        shop.offers.issue("p1", user_id="u0")  # an item without any codes
