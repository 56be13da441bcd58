"""The next best action, through an engine: its worth, for whom it may be done, and that its chance is learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bespeak.engine.checks import WARN
from bespeak.engine.checks.catalogue import actions
from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.errors import ConfigError

ALL = ["essential", "personalize", "measure", "improve"]
DAY_MS = 86_400_000
ACTIONS = [
    {"id": "call", "value": 100.0, "cost": 8.0, "probability": 0.2, "eligible": "orders >= 1"},  # worth 12
    {"id": "mail", "value": 50.0, "cost": 1.0, "probability": 0.1, "repeat_days": 7.0, "max_times": 2.0},  # worth 4
    {"id": "gift", "value": 30.0, "cost": 10.0, "probability": 0.9, "uplift": 0.1},  # worth -7
    {"id": "odd", "value": 9e9, "eligible": "no_such_column > 1"},
]


def settings(**actions: Any) -> dict[str, Any]:
    return {
        "placements": {"next": {"kinds": ["action"], "hide_seen": {}, "actions": {"explore": 0.0, **actions}}},
        "sources": {"shop": {"kind": "import", "consent": ALL}},
    }


def opened(make: Callable[..., Engine], **actions: Any) -> Engine:
    engine = make(settings(**actions))
    engine.items.put(
        [{"id": a["id"], "kind": "action", "attributes": {k: v for k, v in a.items() if k != "id"}} for a in ACTIONS]
    )
    return engine


def track(engine: Engine, name: str, user: str, number: int = 0, **properties: Any) -> None:
    event = {"type": "track", "event": name, "userId": user, "messageId": f"{name}-{user}-{number}"}
    engine.track([{**event, "properties": properties}], source="shop")


def bought(engine: Engine, user: str, number: int = 0) -> None:
    products = [{"product_id": "p1"}]
    track(engine, "Order Completed", user, number, order_id=f"{user}-{number}", products=products)


def test_what_is_worth_most_is_done_for_whom_it_may_be_done(make: Callable[..., Engine]) -> None:
    engine = opened(make)
    bought(engine, "ann")
    track(engine, "Product Viewed", "bob", product_id="p1")
    ann, bob = (engine.decide("next", user_id=user) for user in ("ann", "bob"))
    assert (ann.item_ids, ann[0].score) == (["call"], pytest.approx(12))
    assert sum(reason.contribution for reason in ann[0].reasons) == pytest.approx(12)
    assert (bob.item_ids, bob[0].score) == (["mail"], pytest.approx(4))
    assert (bob.decision.removed["not_eligible"], bob.decision.removed["not_readable"]) == (1, 1)
    assert dict(ann.decision.candidates) == pytest.approx({"mail": 4.0, "gift": -7.0})
    assert any("rule of an action" in note for note in ann.decision.notes)


@pytest.mark.parametrize(
    ("eligible", "rules"),
    [
        (False, ("not_eligible",)),
        (True, ()),
        ("", ()),
        (None, ()),
        (0.0, ("not_readable",)),
        ("x >", ("not_readable",)),
    ],
)
def test_an_action_that_says_it_is_for_nobody_is_done_for_nobody(
    make: Callable[..., Engine], eligible: object, rules: tuple[str, ...]
) -> None:
    engine = make(settings())
    best = {"value": 900.0, "cost": 1.0, "probability": 0.9, "eligible": eligible}
    best = {name: value for name, value in best.items() if value is not None}
    engine.items.put([{"id": "best", "kind": "action", "title": "Best", "attributes": best}])
    assert engine.why_not("next", "best").rules == rules
    assert engine.decide("next").item_ids == ([] if rules else ["best"])
    assert (actions(engine.core).status == WARN) is ("not_readable" in rules)


def test_an_uplift_beyond_certainty_counts_as_certainty(make: Callable[..., Engine]) -> None:
    engine = make(settings())
    said = {"value": 3.0, "cost": 1.0, "uplift": 90.0}  # somebody meant per cent
    engine.items.put([{"id": "sms", "kind": "action", "title": "SMS", "attributes": said}])
    assert engine.decide("next")[0].score == pytest.approx(2.0)
    assert "`uplift` is 90" in actions(engine.core).message


def test_an_action_rests_and_comes_at_most_so_often(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = opened(make)
    track(engine, "Product Viewed", "bob", product_id="p1")
    shown = []
    for day in range(20):
        slate = engine.decide("next", user_id="bob", decision_id=f"d{day}")
        shown.append(slate.item_ids)
        if slate:
            track(engine, "Recommendation Viewed", "bob", day, decision_id=f"d{day}", items=[{"item_id": "mail"}])
        clock.advance(DAY_MS)
    assert [day for day, items in enumerate(shown) if items] == [0, 7]
    assert engine.decide("next", user_id="bob").decision.notes[-1].startswith("No action")


def test_the_chance_is_learned_from_what_came_of_it(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = opened(make, explore=0.5, prior_rows=5.0, window_minutes=60.0)
    users = [f"u{n}" for n in range(60)]
    done: Counter[str] = Counter()
    for user in users:
        bought(engine, user)
        chosen = engine.decide("next", user_id=user, decision_id=f"d-{user}").item_ids[0]
        done[chosen] += 1
        if chosen == "mail":
            clock.advance(1)
            bought(engine, user, 1)
    assert set(done) == {"call", "mail", "gift"}
    clock.advance(2 * 3_600_000)
    assert engine.learn() == {"next": 60}
    best = engine.decide("next", user_id="u0", is_preview=True)
    assert best.item_ids == ["mail"]
    n = done["mail"]
    assert best[0].score == pytest.approx(50 * (n + 5 * 0.1) / (n + 5) - 1)
    engine.privacy.erase("u0")
    engine.core.refresh()
    (sums,) = engine.core.world.action_sums.values()
    assert sum(held[""][0] for held in sums.of_items.values()) == 59


def test_of_an_action_that_is_not_done_the_rule_is_named(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = opened(make)
    engine.items.put([{"id": "p1", "title": "No action"}])
    bought(engine, "ann")
    track(engine, "Product Viewed", "bob", product_id="p1")
    rules = {
        (user, item): engine.why_not("next", item, user_id=user).rules
        for user in ("ann", "bob")
        for item in ("call", "mail", "gift", "odd", "p1", "none")
    }
    assert [rules["ann", item] for item in ("call", "mail", "gift")] == [(), ("outscored",), ("below_cost",)]
    assert [rules["bob", item] for item in ("call", "mail", "odd")] == [("not_eligible",), (), ("not_readable",)]
    assert (rules["bob", "p1"], rules["bob", "none"]) == (("kind",), ("unknown",))
    said = engine.why_not("next", "mail", user_id="ann")
    assert (said.score, said.needed) == (pytest.approx(4), pytest.approx(12))
    for number in range(2):
        shown = engine.decide("next", user_id="bob", decision_id=f"d{number}")
        track(engine, "Recommendation Viewed", "bob", number, decision_id=f"d{number}", items=[{"item_id": "mail"}])
        assert (shown.item_ids, engine.why_not("next", "mail", user_id="bob").rules) == (["mail"], ("too_soon",))
        clock.advance(8 * DAY_MS)
    assert engine.why_not("next", "mail", user_id="bob").rules == ("too_often",)


def test_frequencies_match_the_propensities(make: Callable[..., Engine]) -> None:
    engine = opened(make, explore=0.3)
    bought(engine, "ann")
    shown = [engine.decide("next", user_id="ann", decision_id=f"d{n}")[0] for n in range(600)]
    seen = Counter(item.item_id for item in shown)
    chances = {item.item_id: item.propensity for item in shown}
    assert chances == pytest.approx({"call": 0.8, "mail": 0.1, "gift": 0.1})
    assert all(abs(seen[name] - 600 * p) < 4 * (600 * p * (1 - p)) ** 0.5 for name, p in chances.items())


def test_without_the_store_nothing_personal_is_done(make: Callable[..., Engine]) -> None:
    engine = opened(make)
    slate = engine.decisions.fallback(engine.core.request("next", None), "no time")
    assert (slate.item_ids, slate.decision.mode) == (["mail"], "fallback")


MAIL = {"subject": "Come back", "body": "We miss you"}


def test_a_message_is_rewarded_by_the_click_and_not_by_opening_it(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    message = {"kind": "message", "variants": {"a": MAIL, "b": MAIL}, "learn": "thompson", "window_minutes": 60.0}
    engine = make({**settings(), "placements": {"win_back": {**message, "reward": {"email_clicked": 1.0}}}})
    for user in ("ann", "bob"):
        track(engine, "Product Viewed", user, product_id="p1")
        variant = engine.decide("win_back", user_id=user, decision_id=user).variant
        assert variant is not None
        assert variant.value == MAIL
        track(engine, "Email Opened", user, decision_id=user)
    track(engine, "Email Link Clicked", "bob", decision_id="bob")
    clock.advance(2 * 3_600_000)
    assert engine.learn() == {"win_back": 2}
    assert engine.core.world.posterior(engine.core.world.variants["win_back"]).mean == 0.5


def test_the_message_that_is_clicked_wins_over_the_one_that_is_opened(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    """Everybody opens `loud` and few click; few open `plain`, and all of these click."""
    texts = {"loud": {"subject": "!!!", "body": "x"}, "plain": {"subject": "Your order", "body": "y"}}
    message = {"kind": "message", "variants": texts, "learn": "thompson", "window_minutes": 4320.0}
    rewards = {"reward": {"email_clicked": 1.0}, "conversion": {"purchase": 2.0}}
    engine = make({**settings(), "placements": {"win_back": {**message, **rewards}}})
    users = [f"u{n}" for n in range(60)]
    for user in users:
        track(engine, "Product Viewed", user, product_id="p1")
    shown: Counter[str] = Counter()
    for turn in range(3):
        shown = Counter()
        for n, user in enumerate(users):
            sent = engine.decide("win_back", user_id=user, decision_id=f"{user}-{turn}").variant
            assert sent is not None
            assert sent.value == texts[sent.id]  # what goes into the mail
            shown[sent.id] += 1
            is_read = n % 2 == 0
            if sent.id == "loud" or is_read:
                track(engine, "Email Opened", user, turn, decision_id=f"{user}-{turn}")
            if is_read and (sent.id == "plain" or n % 20 == 0):
                track(engine, "Email Link Clicked", user, turn, decision_id=f"{user}-{turn}")
        engine.core.drain()
        clock.advance(4 * DAY_MS)
        engine.learn()
    known = engine.core.world.posterior(engine.core.world.variants["win_back"])
    rates = dict(zip(texts, (known.sums.total / known.sums.n_rows).tolist(), strict=True))
    assert rates["loud"] < 0.2 < 0.4 < rates["plain"]
    assert shown["plain"] > 50
    assert engine.decide("win_back", user_id="u0", is_preview=True).item_ids == ["plain"]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"kind": "message", "variants": {"a": {"subject": "x"}}}, "subject and a body"),
        ({"kind": "message", "variants": {"a": MAIL}, "learn": "epsilon", "reward": {"email": 1.0}}, "no reward"),
        ({"kinds": ["action"], "actions": {"success": ["wink"]}}, "wink"),
        ({"kinds": ["action"], "actions": {"prior_rows": 0.0}}, "prior_rows"),
    ],
)
def test_what_is_wrong_is_refused(make: Callable[..., Engine], section: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make({"placements": {"spot": section}})
