"""What a profile drops when a limit bites. The rules look only at the profile, so a replay drops the same.

Collections may grow an eighth over their limit before they are cut back to it, so that a person at the limit does
not pay for a sort at every event.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bespeak.profiles.profile import Profile
from bespeak.profiles.settings import DAY_MS, FoldSettings
from bespeak.profiles.sums import Sums, all_keys


def is_over(n: int, limit: int) -> bool:
    """True when a collection has outgrown its limit and the slack above it."""
    return n > limit + (limit >> 3)


def keep_strongest(
    sums: Sums, limit: int, now_ms: int, settings: FoldSettings, begun: Collection[str] | None = None
) -> None:
    """Cuts sums back to `limit` keys if they have outgrown it.

    Args:
        sums: are changed in place.
        limit, now_ms, settings: as `drop_weakest` takes them.
        begun: the keys that a class has just got, to count no more than need be; None when any may be new.
    """
    # A key of two classes counts twice: most profiles are far from their limit even so.
    if not is_over(sum(map(len, sums.values())), limit):
        return
    if begun is not None and all(sum(key in held for held in sums.values()) > 1 for key in begun):
        return
    if is_over(len(all_keys(sums)), limit):
        drop_weakest(sums, limit, now_ms, settings)


def drop_weakest(sums: Sums, limit: int, now_ms: int, settings: FoldSettings) -> None:
    """Keeps the `limit` strongest keys.

    Strength is the sum over classes of `|decayed value at now_ms * prior weight|`, so that a hidden or bought item
    outlasts many that were only seen; equal ones are told apart by the latest event, then by key.
    """
    strengths: dict[str, float] = {}
    latest: dict[str, int] = {}
    for name in sorted(sums):  # sums round: in the order of the events two of the same would differ
        known = settings.classes.get(name)
        weight, rate = (abs(known.prior_weight), settings.rates[name]) if known is not None else (0.0, 0.0)
        for key, decayed in sums[name].items():
            strengths[key] = strengths.get(key, 0.0) + abs(decayed.at(now_ms, rate)) * weight
            if decayed.last_ms >= latest.get(key, 0):
                latest[key] = decayed.last_ms
    weakest = sorted((strength, latest.get(key, 0), key) for key, strength in strengths.items())
    for _, _, key in weakest[: len(strengths) - limit]:
        for held in sums.values():
            held.pop(key, None)
    for name in [name for name, held in sums.items() if not held]:
        del sums[name]


def drop_oldest(entries: dict[str, Any], limit: int, attribute: str) -> None:
    """Keeps the `limit` entries with the latest time in `attribute`; equal ones are told apart by name."""
    if len(entries) > limit:
        ages = sorted(entries, key=lambda name: (getattr(entries[name], attribute), name))
        for name in ages[: len(entries) - limit]:
            del entries[name]


def drop_old_days(profile: Profile, settings: FoldSettings, since_day: int | None = None) -> None:
    """Drops daily counts from before the window that ends with the latest event.

    Args:
        since_day: day of the latest event when days were last dropped, if nothing older than the window of that day
            can be held: only the days between are looked up then, instead of every day that is kept.
    """
    oldest = profile.last_ms // DAY_MS - settings.limits.window_days
    passed = None if since_day is None else range(since_day - settings.limits.window_days + 1, oldest + 1)
    for name, days in list(profile.counts.items()):
        _drop_days(days, oldest, passed)
        if not days:
            del profile.counts[name]
    _drop_days(profile.orders.days, oldest, passed)
    _drop_days(profile.orders.money_days, oldest, passed)


def _drop_days(days: dict[int, Any], oldest: int, passed: range | None) -> None:
    if passed is None or len(passed) > len(days):
        for day in [day for day in days if day <= oldest]:
            del days[day]
    else:
        for day in passed:
            days.pop(day, None)


def apply_limits(profile: Profile, settings: FoldSettings) -> None:
    """Cuts every collection back that is over its limit (after a merge)."""
    limits = settings.limits
    drop_old_days(profile, settings)
    keep_strongest(profile.items, limits.n_items, profile.last_ms, settings)
    for sums in profile.affinities.values():
        keep_strongest(sums, limits.n_facet_values, profile.last_ms, settings)
    drop_oldest(profile.traits, limits.n_traits, "time_ms")
    drop_oldest(profile.cart, limits.n_cart, "time_ms")
    drop_oldest(profile.progress, limits.n_progress, "time_ms")
    drop_oldest(profile.devices, limits.n_devices, "last_ms")
    for values_by_id in profile.identities.values():
        drop_oldest_ids(values_by_id, limits.n_identities)
    if len(profile.subscription) > limits.n_subscription:
        del profile.subscription[: len(profile.subscription) - limits.n_subscription]
    if len(profile.recent) > limits.n_recent:
        del profile.recent[: len(profile.recent) - limits.n_recent]


def drop_oldest_ids(entries: dict[str, int], limit: int) -> None:
    """Keeps the `limit` identifiers used last; equal ones are told apart by value."""
    if len(entries) > limit:
        for value in sorted(entries, key=lambda value: (entries[value], value))[: len(entries) - limit]:
            del entries[value]
