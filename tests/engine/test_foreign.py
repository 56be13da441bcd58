"""Slates that another system showed: logged as shown, under its arm, and without claims about propensities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bespeak.engine import ForeignItem
from bespeak.engine.engine import Engine
from bespeak.errors import InvalidInput, UnknownName
from bespeak.signals.ids import USER_ID, IdKey
from bespeak.storage.tables import assignments

N_PEOPLE = 30
PLAN = {"experiments": {"rivals": {"placement": "home", "variants": {"ours": {}, "theirs": {"incumbent": True}}}}}


@pytest.fixture
def shop(make: Callable[..., Engine]) -> Engine:
    engine = make(PLAN)
    engine.items.put([{"id": f"p{n}"} for n in range(12)])
    event = {"type": "track", "event": "Product Viewed", "properties": {"product_id": "p1"}}
    engine.track([{**event, "userId": f"u{n}"} for n in range(N_PEOPLE)], source="backend")
    return engine


def logged(engine: Engine, user: str, *items: ForeignItem, **more: Any):
    return engine.log_slate("home", items, [IdKey(USER_ID, user)], **more)


def test_it_stands_under_the_arm_that_is_theirs_and_under_none_otherwise(shop):
    seen = set()
    for n in range(N_PEOPLE):
        decision = logged(shop, f"u{n}", ForeignItem(id="p3"), ForeignItem(id="elsewhere", score=2.0))
        asked = shop.decide("home", user_id=f"u{n}").decision.experiment["variant"]
        seen.add(asked)
        if asked == "theirs":
            assert decision.experiment == {"name": "rivals", "variant": "theirs"}
            assert decision.notes == ()
        else:
            assert decision.experiment is None
            assert "'ours'" in decision.notes[0]
    assert seen == {"ours", "theirs"}
    shop.core.drain()
    with shop.core.store.read() as session:
        assert assignments.sizes(session) == {"rivals": N_PEOPLE}


def test_the_record_keeps_order_and_only_the_propensities_that_were_given(shop):
    decision = logged(shop, "u1", ForeignItem(id="p3", propensity=0.25), ForeignItem(id="p9"), ForeignItem(id="p3"),
                      decision_id="theirs-1")  # fmt: skip
    stored = shop.decision("theirs-1")
    assert stored == decision
    assert [(shown.item_id, shown.position, shown.propensity) for shown in stored.items] == [
        ("p3", 1, 0.25), ("p9", 2, 0.0),
    ]  # fmt: skip
    assert stored.policy == "incumbent"


def test_the_id_of_a_slate_that_is_logged_takes_that_slate_again_and_no_other(shop):
    slate = (ForeignItem(id="p3"), ForeignItem(id="p9"))
    stored = logged(shop, "u1", *slate, decision_id="theirs-1")
    assert logged(shop, "u1", *slate, decision_id="theirs-1") == stored  # a retry
    told = next(asked for n in range(N_PEOPLE) if not (asked := shop.decide("home", user_id=f"u{n}")))
    for taken in ("theirs-1", told.decision.decision_id):
        with pytest.raises(InvalidInput, match="another decision"):
            logged(shop, "u1", ForeignItem(id="p7"), decision_id=taken)
    assert shop.decision("theirs-1") == stored


def test_nobody_known_is_logged_for_nobody(shop):
    assert logged(shop, "stranger", ForeignItem(id="p1")).person is None


def test_what_cannot_be_is_refused(shop):
    with pytest.raises(UnknownName, match="placement 'hom'"):
        shop.log_slate("hom", [ForeignItem(id="p1")], [])
    with pytest.raises(InvalidInput, match="0 entries"):
        logged(shop, "u1")
    with pytest.raises(InvalidInput, match="outside 0 to 1"):
        logged(shop, "u1", ForeignItem(id="p1", propensity=1.5))
    with pytest.raises(InvalidInput, match="outside 0 to 1"):
        logged(shop, "u1", ForeignItem(id="p1", propensity=float("nan")))
    with pytest.raises(InvalidInput, match="not a finite number"):
        logged(shop, "u1", ForeignItem(id="p1", score=float("inf")))
