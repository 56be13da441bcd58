"""Windows that are still open: what counts at once, and that nothing of it is left when they have closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bespeak.decide.variants.bandits import ArmSums, Posterior
from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.learning import fold, news
from bespeak.engine.learning.lessons import VariantLesson, lessons_of
from bespeak.engine.learning.shares import SETTLED_MS, Shares
from bespeak.engine.learning.state import LearnedState, ask_for_refit, read_state

SECOND_MS = 1_000
MINUTE_MS = 60_000
ALL = ["essential", "personalize", "measure", "improve"]
HERO = {
    "kind": "variant",
    "variants": ["a", "b", "c"],
    "learn": "thompson",
    "explore": 0.2,
    "features": ["device"],
    "dimension": 8,
    "reward": {"click": 1.0},
    "conversion": {"purchase": 5.0},
    "window_minutes": 10,
}
USERS = [f"u{n}" for n in range(8)]


def settings(**changes: Any) -> dict[str, Any]:
    return {
        "placements": {"hero": {**HERO, **changes}},
        "consent": {"categories": {"Better": ["improve"]}},
        "sources": {"shop": {"kind": "import", "consent": ALL}},
    }


def track(engine: Engine, name: str, user: str, number: int = 0, **properties: Any) -> None:
    context = properties.pop("context", {})
    event = {"type": "track", "event": name, "userId": user, "messageId": f"{name}-{user}-{number}"}
    engine.track([{**event, "properties": properties, "context": context}], source="shop")


def bought(engine: Engine, user: str, number: int = 0) -> None:
    products = [{"product_id": "p1"}]
    track(engine, "Order Completed", user, number, order_id=f"{user}-{number}", products=products)


def state_of(engine: Engine) -> LearnedState:
    lesson = lessons_of(engine.core.world)[0]
    with engine.core.store.read() as session:
        state = read_state(session, lesson.key, lesson.digest)
    assert state is not None
    return state


def sums_of(engine: Engine) -> ArmSums:
    return VariantLesson(engine.core.config.variants["hero"]).read(state_of(engine).sums)


def known(engine: Engine, placement: str) -> Posterior:
    world = engine.core.world
    return world.posterior(world.variants[placement])


def anew(engine: Engine) -> LearnedState:
    lesson = lessons_of(engine.core.world)[0]
    with engine.core.store.write() as tx:
        assert ask_for_refit(tx, lesson.key, lesson.digest)
    engine.learn()
    return state_of(engine)


def assert_same(engine: Engine) -> None:
    """What was folded in turns is what the log gives."""
    state, folded = state_of(engine), sums_of(engine)
    other, made = anew(engine), sums_of(engine)
    assert (state.n_decisions, state.heard, state.moment_ms) == (other.n_decisions, other.heard, other.moment_ms)
    for part in ("moments", "rewards", "squares"):
        np.testing.assert_allclose(getattr(folded, part), getattr(made, part), rtol=1e-9, atol=1e-9)


@pytest.fixture
def engine(make: Callable[..., Engine]) -> Engine:
    """A project in which everybody was there, and that has learned of nothing yet."""
    engine = make(settings())
    for user in USERS:
        track(engine, "Product Viewed", user, product_id="p1")
    engine.learn()
    return engine


def decide(engine: Engine, user: str, n: int = 0) -> None:
    engine.decide("hero", user_id=user, decision_id=f"{user}-{n}", context={"device": "mobile"})
    engine.core.drain()


def test_a_click_moves_the_posterior_in_the_next_turn(engine: Engine, clock: VirtualClock) -> None:
    decide(engine, "u0")
    clock.advance(SECOND_MS)
    track(engine, "Variant Clicked", "u0", decision_id="u0-0")
    engine.learn()
    assert sums_of(engine).total.sum() == 1
    clock.advance(MINUTE_MS)
    engine.learn()
    assert sums_of(engine).n_rows.sum() == pytest.approx(Shares(10 * MINUTE_MS).at(np.array([MINUTE_MS]))[0])
    bought(engine, "u0")
    engine.learn()
    assert known(engine, "hero").sums.total.sum() == 6
    assert sums_of(engine).squares.sum() == 36


def test_answers_within_seconds_do_not_make_a_variant_earn_without_end(engine: Engine, clock: VirtualClock) -> None:
    for user in USERS:
        decide(engine, user)
    clock.advance(SECOND_MS)
    for user in USERS:
        track(engine, "Variant Clicked", user, decision_id=f"{user}-0")
    engine.learn()
    first = Shares(10 * MINUTE_MS).first
    assert sums_of(engine).n_rows.sum() == pytest.approx(first * len(USERS))
    posterior = known(engine, "hero")
    assert posterior.has_rows
    assert posterior.mean == pytest.approx(1 / first)
    assert_same(engine)
    clock.advance(MINUTE_MS)
    engine.learn()
    assert_same(engine)
    assert sums_of(engine).n_rows.sum() == pytest.approx(
        Shares(10 * MINUTE_MS).at(np.array([MINUTE_MS]))[0] * len(USERS)
    )


def test_an_open_window_counts_more_and_more_and_in_the_end_as_a_no(engine: Engine, clock: VirtualClock) -> None:
    decide(engine, "u0")
    found = []
    for _ in range(24):
        clock.advance(30 * SECOND_MS)
        engine.learn()
        found.append(float(sums_of(engine).n_rows.sum()))
    assert found == sorted(found)
    assert 0 < found[0] < 0.6
    assert found[-1] == 1
    assert state_of(engine).n_decisions == 1


def test_turns_give_what_the_log_gives_while_windows_are_open_and_after(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = make(settings(half_life_days=0.02))
    for user in USERS:
        track(engine, "Product Viewed", user, product_id="p1")
    rng = np.random.default_rng(5)
    for n in range(20):
        for user in rng.choice(USERS, 3, replace=False).tolist():
            decide(engine, user, n)
            clock.advance(int(rng.integers(1, 20)) * SECOND_MS)
            if rng.random() < 0.5:
                track(engine, "Variant Clicked", user, n, decision_id=f"{user}-{rng.integers(n + 1)}")
            if rng.random() < 0.3:
                bought(engine, user, n)
        clock.advance(int(rng.integers(1, 90)) * SECOND_MS)
        engine.learn()
        if n % 5 == 4:
            clock.advance(SETTLED_MS)
            engine.learn()
            assert_same(engine)
    for _ in range(3):
        clock.advance(5 * MINUTE_MS)
        engine.learn()
    state = state_of(engine)
    assert state.heard == {}
    assert state.n_decisions == 60
    assert_same(engine)


def test_a_new_device_counts_from_its_exposure_on(engine: Engine, clock: VirtualClock) -> None:
    decide(engine, "new")
    clock.advance(20 * SECOND_MS)
    engine.learn()
    assert sums_of(engine).n_rows.sum() == 0
    track(engine, "Variant Viewed", "new", decision_id="new-0", variant="a")
    engine.learn()
    assert 0 < sums_of(engine).n_rows.sum() < 1
    bought(engine, "new")
    engine.learn()
    assert sums_of(engine).total.sum() == 5
    assert_same(engine)
    clock.advance(20 * MINUTE_MS)
    engine.learn()
    assert (sums_of(engine).n_rows.sum(), sums_of(engine).total.sum()) == (1, 5)
    assert state_of(engine).heard == {}


def test_who_withdraws_is_out_of_the_open_windows_at_once(engine: Engine, clock: VirtualClock) -> None:
    for user in ("u0", "u1"):
        decide(engine, user)
    clock.advance(MINUTE_MS)
    track(engine, "Variant Clicked", "u0", decision_id="u0-0")
    engine.learn()
    assert (sums_of(engine).total.sum(), state_of(engine).n_decisions) == (1, 2)
    consent = {"consent": {"categoryPreferences": {"Better": False}}}
    track(engine, "Product Viewed", "u0", 9, product_id="p1", context=consent)
    engine.learn()
    assert (sums_of(engine).total.sum(), state_of(engine).n_decisions) == (0, 1)
    assert_same(engine)


def test_who_is_erased_leaves_nothing_of_an_open_window(engine: Engine, clock: VirtualClock) -> None:
    for user in ("u0", "u1"):
        decide(engine, user)
        track(engine, "Variant Clicked", user, decision_id=f"{user}-0")
    clock.advance(MINUTE_MS)
    engine.learn()
    assert len(state_of(engine).heard) == 2
    engine.privacy.erase("u0")
    assert len(state_of(engine).heard) == 1
    assert sums_of(engine).total.sum() == 1


def test_a_log_that_is_far_ahead_is_passed_over_and_nothing_is_lost(
    engine: Engine, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "AT_MOST", 3)
    for user in USERS:
        decide(engine, user)
        track(engine, "Variant Clicked", user, decision_id=f"{user}-0")
    clock.advance(MINUTE_MS)
    engine.learn()
    assert sums_of(engine).total.sum() == len(USERS)
    assert_same(engine)


def test_entries_that_change_nothing_are_not_read_again_and_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold, "WRITE_EVERY_ENTRIES", 5)
    before = state_of(engine).log_position
    for user in USERS:
        track(engine, "Product Viewed", user, 2, product_id="p1")
    engine.learn()
    assert state_of(engine).log_position == before + len(USERS)


def test_a_clicked_creative_and_a_done_action_count_at_once(make: Callable[..., Engine], clock: VirtualClock) -> None:
    places = {
        "home": {"creatives": {"choose": "thompson", "explore": 0.5}},
        "next": {"kinds": ["action"], "hide_seen": {}, "actions": {"explore": 0.0}},
    }
    engine = make({**settings(), "placements": places})
    creatives = [{"id": "c1"}, {"id": "c2"}]
    engine.items.put(
        [
            {"id": "p1", "creatives": creatives},
            {"id": "mail", "kind": "action", "attributes": {"value": 50.0, "cost": 1.0}},
        ]
    )
    track(engine, "Product Viewed", "ann", product_id="x")
    engine.learn()
    engine.decide("home", user_id="ann", decision_id="h")
    engine.decide("next", user_id="ann", decision_id="n")
    engine.core.drain()
    clock.advance(SECOND_MS)
    track(engine, "Product Clicked", "ann", 1, product_id="p1", decision_id="h")
    bought(engine, "ann")
    engine.learn()
    creatives, actions = engine.core.world.creative_sums, engine.core.world.action_sums
    assert sum(total for sums in creatives.values() for _, total, _ in sums.of_items["p1"].values()) == 1
    assert [sums.of_items["mail"][""][1] for sums in actions.values()] == [1]
    clock.advance(30 * 86_400_000)
    engine.learn()
    (sums,) = engine.core.world.action_sums.values()
    assert sums.of_items["mail"][""] == pytest.approx((1, 1, 1))


def test_rewards_and_decisions_fall_short_by_the_same_factor() -> None:
    """Where answers come as `shares` takes it, reward so far / decisions so far is the rate at every age."""
    window_ms = 30 * MINUTE_MS
    shares = Shares(window_ms)
    ages = np.geomspace(SETTLED_MS, window_ms, 400).astype(np.int64)
    come = np.log1p(ages / SECOND_MS) / np.log1p(shares.closed_ms / SECOND_MS)
    ratio = come / shares.at(ages)
    assert abs(ratio.mean() - 1) < 0.02
    assert 0.7 < ratio.min() < ratio.max() < 1.3
