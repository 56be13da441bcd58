from __future__ import annotations

from bespeak.profiles import limits
from bespeak.profiles.decay import Decayed
from bespeak.profiles.fold import fold
from bespeak.profiles.merge import merge
from bespeak.profiles.profile import Profile
from bespeak.profiles.settings import FoldSettings, Limits
from bespeak.profiles.sums import all_keys
from bespeak.signals.events import Context
from bespeak.signals.ids import IdKey

DAY = 86_400_000


def _small(settings, **bounds):
    return FoldSettings(classes=settings.classes, facets=("category",), limits=Limits(**bounds))


def test_the_weakest_go_first_and_a_hidden_item_outlasts_seen_ones(settings):
    entries = {
        "view": {"seen": Decayed(1.0, 0), "old": Decayed(2.0, -60 * DAY), "fresh": Decayed(1.0, DAY)},
        "hide": {"hidden": Decayed(1.0, 0)},
        "exposure": {"old": Decayed(1.0, 0)},
    }
    limits.drop_weakest(entries, 2, DAY, settings)
    assert entries == {"view": {"fresh": Decayed(1.0, DAY)}, "hide": {"hidden": Decayed(1.0, 0)}}


def test_equal_strengths_are_told_apart_by_time_then_name(settings):
    entries = {"exposure": {name: Decayed(1.0, time_ms) for name, time_ms in (("b", 1), ("c", 0), ("a", 1))}}
    limits.drop_weakest(entries, 1, 5, settings)
    assert list(entries["exposure"]) == ["b"]


def test_a_key_of_several_classes_counts_once_and_its_classes_add_up(settings):
    entries = {
        "view": {name: Decayed(1.0, 0) for name in "abcdefgh"},
        "cart": {name: Decayed(1.0, 0) for name in "bcdefghi"},
    }
    before = {name: dict(held) for name, held in entries.items()}
    limits.keep_strongest(entries, 8, 0, settings)
    assert entries == before
    entries["view"]["j"] = Decayed(1.0, 0)
    limits.keep_strongest(entries, 8, 0, settings)
    assert sorted(all_keys(entries)) == ["b", "c", "d", "e", "f", "g", "h", "i"]


def test_items_and_values_stay_within_their_limit_and_its_slack(settings, saw):
    small = _small(settings, n_items=16, n_facet_values=8, n_recent=10)
    profile = Profile()
    for n in range(200):
        fold(profile, saw(n, "view", f"p{n}", facets={f"p{n}": {"category": [f"c{n}"]}}), small)
        assert len(all_keys(profile.items)) <= 18
        assert len(all_keys(profile.affinities["category"])) <= 9
    assert "p199" in profile.items["view"]
    assert [step.item_id for step in profile.recent] == [f"p{n}" for n in range(190, 200)]


def test_a_late_step_older_than_the_sequence_does_not_enter_it(settings, saw):
    small = _small(settings, n_recent=2)
    profile = Profile()
    for time_ms in (5, 6, 1):
        fold(profile, saw(time_ms, "view", f"p{time_ms}"), small)
    assert [step.time_ms for step in profile.recent] == [5, 6]


def test_the_oldest_traits_cart_lines_devices_and_ids_go(settings, saw):
    small = _small(settings, n_traits=2, n_cart=2, n_devices=2, n_identities=2)
    profile = Profile()
    for n in range(4):
        observation = saw(
            n,
            "cart",
            f"p{n}",
            traits={f"t{n}": n},
            context=Context(device=f"d{n}"),
            ids=(IdKey("anonymous_id", f"a{n}"),),
        )
        fold(profile, observation, small)
    assert list(profile.traits) == ["t2", "t3"]
    assert list(profile.cart) == ["p2", "p3"]
    assert list(profile.devices) == ["d2", "d3"]
    assert list(profile.identities["anonymous_id"]) == ["a2", "a3"]


def test_a_merge_keeps_the_limits(settings, saw):
    small = _small(settings, n_items=4, n_recent=3, n_sessions=2, n_traits=1)
    one, other = Profile(), Profile()
    for n in range(4):
        fold(one, saw(n * DAY, "view", f"a{n}", traits={f"a{n}": 1}), small)
        fold(other, saw(n * DAY + DAY // 2, "view", f"b{n}", traits={f"b{n}": 1}), small)
    merge(one, other, small)
    assert len(all_keys(one.items)) == 4
    assert [step.item_id for step in one.recent] == ["b2", "a3", "b3"]
    assert len(one.sessions) == 2
    assert one.n_older_sessions == 6
    assert list(one.traits) == ["b3"]


def test_exactly_the_days_of_the_window_stay_whatever_the_gaps(settings, saw):
    small = _small(settings, window_days=5)
    profile, held = Profile(), {}
    days = [100, 101, 99, 104, 105, 100, 106, 109, 106, 200, 201, 197, 205, 206, 211, 212, 207]
    for n, day in enumerate(days):
        fold(profile, saw(day * DAY + n, "view" if n % 3 else "purchase", "p1", value=100), small)
        oldest = max(days[: n + 1]) - 5
        held = {kept: count for kept, count in held.items() if kept > oldest}
        if day > oldest:
            held[day] = held.get(day, 0) + 1
        total = {}
        for counts in profile.counts.values():
            for kept, count in counts.items():
                total[kept] = total.get(kept, 0) + count
        assert total == held
        assert all(kept > oldest for kept in profile.orders.days)
        assert profile.orders.money_days.keys() == profile.orders.days.keys()


def test_days_left_by_a_withdrawal_go_with_the_first_event_after_it(settings, saw):
    small = _small(settings, window_days=5)
    profile = Profile(counts={"view": {10: 1, 98: 2}})
    fold(profile, saw(100 * DAY, "view", "p1"), small)
    assert profile.counts == {"view": {98: 2, 100: 1}}
