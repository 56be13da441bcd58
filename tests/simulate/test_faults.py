"""Each fault does what it says, and leaves the truth alone."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.intake.segment import SourceInfo, decode_batch
from bespeak.simulate import Faults, ShopWorld, StreamingWorld, play
from bespeak.simulate.events import EventWriter
from bespeak.simulate.faults import BOT_PAGES, with_faults

END_MS = 1_750_000_000_000


@pytest.fixture(scope="module")
def world() -> ShopWorld:
    return ShopWorld(4, n_people=120, n_items=60, days=25, end_ms=END_MS)


@pytest.fixture(scope="module")
def clean(world: ShopWorld) -> list[dict[str, Any]]:
    return list(world.events())


def test_no_fault_changes_nothing(world: ShopWorld, clean: list[dict[str, Any]]) -> None:
    assert list(with_faults(world, clean, Faults())) == clean


def test_duplicates_are_the_same_event_again(world: ShopWorld, clean: list[dict[str, Any]]) -> None:
    faulty = list(with_faults(world, clean, Faults(duplicates=0.2)))
    n_times = Counter(event["messageId"] for event in faulty)
    assert set(n_times) == {event["messageId"] for event in clean}
    assert set(n_times.values()) == {1, 2}
    assert sum(n == 2 for n in n_times.values()) / len(clean) == pytest.approx(0.2, abs=0.03)
    by_id = {event["messageId"]: event for event in clean}
    assert all(event == by_id[event["messageId"]] for event in faulty)


def test_late_events_keep_their_time_and_come_after_later_ones(world: ShopWorld, clean: list[dict[str, Any]]) -> None:
    faulty = list(with_faults(world, clean, Faults(late=0.1)))
    assert sorted(event["messageId"] for event in faulty) == sorted(event["messageId"] for event in clean)
    times = np.array([event["timestamp"] for event in faulty])
    newest = np.maximum.accumulate(np.array([np.datetime64(time[:-1]) for time in times]).astype(np.int64))
    lag_ms = newest - np.array([np.datetime64(time[:-1]) for time in times]).astype(np.int64)
    is_late = lag_ms > 0
    assert 0.05 < is_late.mean() < 0.15
    assert lag_ms.max() > 86_400_000


@pytest.mark.parametrize("kind", [ShopWorld, StreamingWorld])
def test_robots_name_themselves_and_crawl_every_night(kind: type[ShopWorld]) -> None:
    world = kind(4, n_people=120, n_items=60, days=25, end_ms=END_MS)
    clean = list(world.events())
    faulty = list(with_faults(world, clean, Faults(bots=0.05)))
    robots = [event for event in faulty if event.get("anonymousId", "").startswith("bot-")]
    assert [event for event in faulty if not event.get("anonymousId", "").startswith("bot-")] == clean
    assert len({event["anonymousId"] for event in robots}) == 6
    assert len(robots) / 6 / BOT_PAGES == pytest.approx(25, abs=1)
    assert [event["timestamp"] for event in faulty] == sorted(event["timestamp"] for event in faulty)
    body = json.dumps({"batch": robots[:400]}).encode()
    decoded = decode_batch(body, route="batch", received_ms=END_MS, source=SourceInfo(name="web"))
    assert decoded.rejected == []
    assert all(event.context.is_bot for event in decoded.events)


def test_a_broken_assignment_moves_phones_to_the_control(world: ShopWorld) -> None:
    large = ShopWorld(4, n_people=4_000, n_items=12, days=1, end_ms=END_MS)
    everybody = np.arange(4_000)
    right = large.experiment(large.oracle).arm(everybody)
    broken = large.experiment(large.oracle, broken_assignment=0.5).arm(everybody)
    uses_phone = large.identities.kind[everybody, large.identities.share.argmax(axis=1)] == 0
    assert right.mean() == pytest.approx(0.5, abs=0.03)
    assert not ((broken == 1) & (right == 0)).any()
    moved = (right == 1) & (broken == 0)
    assert moved[uses_phone].sum() / (right[uses_phone] == 1).sum() == pytest.approx(0.5, abs=0.06)
    assert not moved[~uses_phone].any()


def test_logged_propensities_are_too_high_by_the_fault_and_right_without_it(world: ShopWorld) -> None:
    day = next(day for day in play(world, world.random) if day.n_usual)

    def logged(fault: float) -> np.ndarray:
        events = EventWriter(world, wrong_propensities=fault).events(day)
        shown = [e["properties"]["items"] for e in events if e.get("event") == "Recommendation Viewed"]
        return np.array([[item["propensity"] for item in items] for items in shown])

    assert logged(0.0) == pytest.approx(day.slates.propensity)
    assert logged(0.5) == pytest.approx(1.5 * day.slates.propensity)
    assert (1 / logged(0.5) * day.slates.propensity).mean() == pytest.approx(1 / 1.5)  # importance weights leave one


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="bots"):
        Faults(bots=-0.1)
    with pytest.raises(InvalidInput, match="late"):
        Faults(late=1.5)
