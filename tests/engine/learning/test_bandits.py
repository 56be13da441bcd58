"""Placements that learn, through an engine: what becomes a row, and that sums are what the log says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bespeak.decide.variants.bandits import ArmSums, Posterior
from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.learning.fold import REFIT_EVERY_MS
from bespeak.engine.learning.lessons import VariantLesson
from bespeak.engine.learning.state import ask_for_refit, put_state, read_state

MINUTE_MS = 60_000
ALL = ["essential", "personalize", "measure", "improve"]
HERO = {
    "kind": "variant",
    "variants": ["a", "b", "c"],
    "learn": "thompson",
    "explore": 0.2,
    "features": ["device", "segment.buyers"],
    "dimension": 8,
    "reward": {"click": 1.0},
    "conversion": {"purchase": 5.0},
    "window_minutes": 10,
}


def settings(**changes: Any) -> dict[str, Any]:
    return {
        "placements": {"hero": {**HERO, **changes}},
        "segments": {"buyers": "orders >= 1"},
        "consent": {"categories": {"Better": ["improve"]}},
        "sources": {"shop": {"kind": "import", "consent": ALL}},
    }


def track(engine: Engine, name: str, user: str, number: int = 0, **properties: Any) -> None:
    context = properties.pop("context", {})
    event = {"type": "track", "event": name, "userId": user, "messageId": f"{name}-{user}-{number}"}
    engine.track([{**event, "properties": properties, "context": context}], source="shop")


def decided(engine: Engine, user: str, n: int = 0, **asked: Any) -> str:
    """Decides for somebody who was there before; returns the variant."""
    variant = engine.decide("hero", user_id=user, decision_id=f"{user}-{n}", **asked).variant
    assert variant is not None
    assert variant.source == "learned"
    return variant.id


def lived(engine: Engine, clock: VirtualClock, users: list[str], n: int = 0) -> None:
    """Everybody is shown something on a phone; the first half click, every fourth buys. Then the windows close."""
    for user in users:
        track(engine, "Product Viewed", user, n, product_id="p1")
        decided(engine, user, n, context={"device": "mobile"})
    clock.advance(MINUTE_MS)
    for place, user in enumerate(users):
        if place < len(users) / 2:
            track(engine, "Variant Clicked", user, n, decision_id=f"{user}-{n}")
        if place % 4 == 0:
            track(engine, "Order Completed", user, n, order_id=f"{user}-{n}", products=[{"product_id": "p1"}])
    engine.core.drain()
    clock.advance(20 * MINUTE_MS)


def sums_of(engine: Engine) -> ArmSums:
    lesson = VariantLesson(engine.core.config.variants["hero"])
    with engine.core.store.read() as session:
        state = read_state(session, lesson.key, lesson.digest)
    return lesson.read(None if state is None else state.sums)


def known(engine: Engine, placement: str) -> Posterior:
    world = engine.core.world
    return world.posterior(world.variants[placement])


def refitted(engine: Engine) -> ArmSums:
    lesson = VariantLesson(engine.core.config.variants["hero"])
    with engine.core.store.write() as tx:
        assert ask_for_refit(tx, lesson.key, lesson.digest)
    engine.learn()
    return sums_of(engine)


def same(one: ArmSums, other: ArmSums) -> bool:
    return all(np.allclose(getattr(one, k), getattr(other, k), rtol=1e-9, atol=1e-9) for k in vars(one))


USERS = [f"u{n}" for n in range(12)]


def test_outcomes_in_the_window_become_rewards(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = make(settings())
    lived(engine, clock, USERS)
    assert engine.learn() == {"hero": 12}
    sums = sums_of(engine)
    assert sums.n_rows.sum() == 12
    assert sums.total.sum() == 6 * 1 + 3 * 5
    assert sums.squares.sum() == 4 * 1 + 2 * 36 + 1 * 25  # four only clicked, two did both, one only bought
    assert known(engine, "hero").mean == 21 / 12


def test_folding_in_turns_gives_what_the_whole_log_gives(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = make(settings(half_life_days=0.01))
    for turn in range(3):
        lived(engine, clock, USERS, turn)
        assert engine.learn() == {"hero": 12}
    folded = sums_of(engine)
    assert 0 < folded.n_rows.sum() < 36
    assert same(folded, refitted(engine))


def test_who_is_erased_is_in_the_sums_no_more(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = make(settings())
    lived(engine, clock, USERS)
    engine.learn()
    before = sums_of(engine)
    receipt = engine.privacy.erase("u0")
    line = next(line for line in receipt.lines if line.holder == "bandits")
    assert (line.n_held, line.n_rewritten) == (1, 1)
    after = sums_of(engine)
    assert after.n_rows.sum() == 11
    assert after.total.sum() == before.total.sum() - 6
    assert same(after, refitted(engine))


def test_who_withdraws_is_left_out_when_the_sums_are_made_anew(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = make(settings())
    lived(engine, clock, USERS)
    engine.learn()
    consent = {"consent": {"categoryPreferences": {"Better": False}}}
    track(engine, "Product Viewed", "u0", 9, product_id="p1", context=consent)
    engine.learn()
    assert sums_of(engine).n_rows.sum() == 12
    clock.advance(REFIT_EVERY_MS)
    engine.learn()
    assert sums_of(engine).n_rows.sum() == 11


def test_previews_refusals_and_other_sources_of_a_variant_are_not_learned_from(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = make(settings(when=["context.device = 'tv' show a"]))
    for user in USERS[:4]:
        track(engine, "Product Viewed", user, product_id="p1")
    engine.decide("hero", user_id="u0", is_preview=True)
    assert engine.decide("hero", user_id="u1", context={"device": "tv"}).variant.source == "rule"  # type: ignore[union-attr]
    engine.decide("hero", user_id="u2", context={"consent": {"categoryPreferences": {"Better": False}}})
    engine.decide("hero", user_id="nobody")
    decided(engine, "u3")
    clock.advance(20 * MINUTE_MS)
    assert engine.learn() == {"hero": 1}


def test_a_new_device_is_learned_from_once_its_exposure_says_whose_it_is(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = make(settings())
    decided(engine, "new", context={"device": "mobile"})
    track(engine, "Variant Viewed", "new", decision_id="new-0", variant="a")
    track(engine, "Variant Clicked", "new", decision_id="new-0")
    clock.advance(20 * MINUTE_MS)
    assert engine.learn() == {"hero": 1}
    assert sums_of(engine).total.sum() == 1


def test_a_changed_setting_makes_the_sums_anew(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = make(settings())
    lived(engine, clock, USERS)
    engine.learn()
    path = engine.core.folder.config_path
    path.write_text(path.read_text(encoding="utf-8").replace("purchase = 5.0", "purchase = 1.0"), encoding="utf-8")
    engine.core.apply()
    assert engine.core.world.posteriors == {}
    assert engine.learn() == {"hero": 12}
    assert sums_of(engine).total.sum() == 6 + 3


def test_nobody_writes_over_what_another_node_folded(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = make(settings())
    lived(engine, clock, USERS)
    lesson = VariantLesson(engine.core.config.variants["hero"])
    engine.learn()
    with engine.core.store.write() as tx:
        state = read_state(tx, lesson.key, lesson.digest)
        assert state is not None
        assert not put_state(tx, lesson.key, None, state)


def test_two_thousand_decisions_agree_with_their_records(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = make(settings())
    lived(engine, clock, USERS)
    engine.learn()
    shown = [engine.decide("hero", context={"device": "mobile"}, decision_id=f"d{n}")[0] for n in range(2_000)]
    weights = np.array([1 / (3 * item.propensity) for item in shown])
    assert weights.std() > 0.1
    assert abs(weights.mean() - 1) < 4 * weights.std() / np.sqrt(2_000)
    engine.core.drain()
    record = engine.decision("d7")
    assert record is not None
    assert record.items == (shown[7],)
    assert dict(record.candidates).keys() | {shown[7].item_id} == {"a", "b", "c"}


def test_another_process_sees_what_was_learned(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine, other = make(settings()), make()
    lived(engine, clock, USERS)
    engine.learn()
    other.decide("hero", user_id="u0")
    assert known(other, "hero").mean == 21 / 12


def test_it_finds_the_variant_that_is_clicked_on_each_device(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = make(settings(features=["device"], conversion={}, explore=0.05))
    best = {"mobile": "b", "desktop": "c"}
    shown: list[tuple[str, str]] = []
    rng = np.random.default_rng(3)
    for n in range(12):
        for user in USERS:
            track(engine, "Product Viewed", user, n, product_id="p1")
            device = ("mobile", "desktop")[int(rng.integers(2))]
            variant = decided(engine, user, n, context={"device": device})
            shown.append((device, variant))
            if rng.random() < (0.7 if variant == best[device] else 0.1):
                track(engine, "Variant Clicked", user, n, decision_id=f"{user}-{n}")
        clock.advance(20 * MINUTE_MS)
        engine.learn()
    assert np.mean([best[device] == variant for device, variant in shown[-48:]]) > 0.75
    slate = engine.decide("hero", user_id="u0", context={"device": "mobile"}, is_preview=True)
    assert slate.item_ids == ["b"]
    assert sum(reason.contribution for reason in slate[0].reasons) == pytest.approx(slate[0].score)
