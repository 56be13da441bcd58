from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bespeak.profiles.fold import fold
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Profile
from bespeak.profiles.settings import FoldSettings
from bespeak.profiles.view import ProfileView
from bespeak.rules import Verdict
from bespeak.segments.definitions import Segment, compile_segments
from bespeak.segments.membership import Move, evaluate, moves, next_due
from bespeak.signals.signal import Signal, SignalClass

DAY = 86_400_000
HOUR = 3_600_000
SETTINGS = FoldSettings(
    classes={
        "view": SignalClass(name="view", half_life_days=4, prior_weight=1.0),
        "cart": SignalClass(name="cart", half_life_days=8, prior_weight=3.0),
        "hide": SignalClass(name="hide", half_life_days=2, prior_weight=-4.0),
        "purchase": SignalClass(name="purchase", half_life_days=30, prior_weight=5.0),
    },
    facets=("category",),
)


def profile_of(*signals: tuple[int, str, str], **more: Any) -> Profile:
    profile = Profile()
    for n, (time_ms, name, item) in enumerate(signals):
        observation = Observation(
            time_ms=time_ms,
            received_ms=time_ms,
            message_id=f"m{n}",
            signals=(Signal(name, name, 1.0, item),),
            facets={item: {"category": [item[0]]}},
            **more,
        )
        fold(profile, observation, SETTINGS)
    return profile


def decided(rules: dict[str, str] | tuple[Segment, ...], profile: Profile, now_ms: int) -> dict[str, Verdict]:
    segments = rules if isinstance(rules, tuple) else compile_segments(rules, classes=SETTINGS.classes)
    return evaluate(segments, ProfileView(profile, SETTINGS, now_ms, purposes=("personalize",)))


def test_membership_follows_events_and_says_when_time_ends_it():
    profile = profile_of((0, "view", "a1"), (DAY, "view", "a2"))
    found = decided({"keen": "views_7d >= 2", "seen": "events >= 1"}, profile, DAY)
    assert found == {"keen": Verdict(True, 7 * DAY), "seen": Verdict(True, None)}
    assert decided({"keen": "views_7d >= 2"}, profile, 7 * DAY)["keen"].holds is False


def test_a_segment_reads_the_segments_it_names_and_their_due_times():
    profile = profile_of((0, "purchase", "a1"))
    found = decided({"fresh": "segment.buyers AND count('purchase', 3) = 1", "buyers": "orders_30d >= 1"}, profile, 0)
    assert found["buyers"] == Verdict(True, 30 * DAY)
    assert found["fresh"] == Verdict(True, 3 * DAY)
    assert next_due(found) == 3 * DAY


def test_without_the_purpose_nobody_is_a_member():
    segments = compile_segments({"seen": "events >= 1", "fans": "affinity('category', 'a') > 0"})
    view = ProfileView(profile_of((0, "view", "a1")), SETTINGS, 0, purposes=())
    assert evaluate(segments, view) == {"seen": Verdict(False, None), "fans": Verdict(False, None)}


def test_moves_are_what_changed():
    after = {"a": Verdict(True, None), "b": Verdict(False, 5), "c": Verdict(True, None), "d": Verdict(False, None)}
    assert moves({"a": True, "b": True}, after) == [Move("b", False), Move("c", True)]
    assert next_due({}) is None


RULES = {
    "window": "views_7d >= 2",
    "function": "count('view', 3) > 0 AND NOT viewed('a1', 2) = 1",
    "fading": "affinity('category', 'a') > 0.5",
    "disliked": "affinity('category', 'a') < 0 OR share('category', 'b') > 0.6",
    "away": "last_seen < now() - INTERVAL '5' DAY",
    "stage": "stage IN ('cart', 'considering', 'lapsed')",
    "money": "orders_30d > 0 AND last_order > now() - INTERVAL '36' HOUR",
    "nested": "segment.away OR in_segment('fading') = 1",
    "visits": "sessions_30d BETWEEN 1 AND 2",
}
SEGMENTS = compile_segments(RULES, classes=SETTINGS.classes)
histories = st.lists(
    st.tuples(
        st.integers(0, 20 * 24).map(lambda hours: hours * HOUR),
        st.sampled_from(["view", "view", "cart", "hide", "purchase"]),
        st.sampled_from(["a1", "a2", "b1"]),
    ),
    max_size=8,
)


@given(histories)
def test_no_membership_changes_before_it_is_due(signals: list[tuple[int, str, str]]) -> None:
    """Steps through ninety days, hour by hour near the events, and looks at everybody at every step."""
    profile = profile_of(*signals)
    start = max((time_ms for time_ms, _, _ in signals), default=0)
    found = decided(SEGMENTS, profile, start)
    for step in range(1, 200):
        now_ms = start + (step * 5 * HOUR if step < 100 else 500 * HOUR + (step - 100) * DAY)
        later = decided(SEGMENTS, profile, now_ms)
        for name, before in found.items():
            if later[name].holds != before.holds:
                assert before.flips_at_ms is not None, name
                assert before.flips_at_ms <= now_ms, name
        found = later


@pytest.mark.parametrize("name", list(RULES))
def test_every_rule_of_that_test_holds_for_somebody_and_fails_for_somebody(name: str) -> None:
    people = [
        profile_of((0, "view", "a1"), (0, "view", "a2")),
        profile_of((0, "hide", "a1"), (0, "cart", "b1")),
        profile_of((0, "purchase", "b1")),
        profile_of((0, "view", "a2")),
    ]
    answers = {decided(SEGMENTS, profile, day * DAY)[name].holds for profile in people for day in (0, 1, 3, 10, 100)}
    assert answers == {True, False}
