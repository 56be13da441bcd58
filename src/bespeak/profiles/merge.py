"""Two profiles of one person become one.

A join: in any order and grouping the result is the same to 1e-9 (below the limits), and the same as if all events
had been folded into one profile. The two must hold different events; sums of one event would count it twice. What
settles by last writer, minimum or maximum is idempotent as well.
"""

from __future__ import annotations

from typing import TypeVar

from bespeak.profiles import limits
from bespeak.profiles.codec import decode, encode
from bespeak.profiles.commerce import join_carts, join_orders
from bespeak.profiles.profile import Profile, Trait
from bespeak.profiles.progress import join_progress
from bespeak.profiles.sessions import unite
from bespeak.profiles.settings import FoldSettings
from bespeak.profiles.subscription import join_subscriptions
from bespeak.profiles.sums import join_sums
from bespeak.profiles.withdrawal import apply_consent, withdraw

_Key = TypeVar("_Key", str, int)


def merge(into: Profile, other: Profile, settings: FoldSettings) -> None:
    """Adds `other` to `into`, in place; `other` is left as it is and shares nothing with the result.

    Classes that `settings` no longer knows are dropped. The result's fold version is the lower one, so that a
    profile that wants a refold still wants it.
    """
    other = decode(encode(other))
    into.fold_version = min((v for v in (into.fold_version, other.fold_version) if v), default=0)
    _merge_consent(into, other, settings)
    _merge_dates(into, other)
    _merge_identities(into, other)
    _merge_traits(into.traits, other.traits)
    _merge_traits(into.places, other.places)
    _merge_devices(into, other)
    _merge_aggregates(into, other, settings)
    into.recent = sorted(into.recent + other.recent)
    into.n_older_sessions += other.n_older_sessions
    for session in other.sessions:
        unite(into, session, settings)
    for name, days in other.counts.items():
        _add_counts(into.counts.setdefault(name, {}), days)
    join_orders(into.orders, other.orders, settings.limits.n_orders)
    join_carts(into, other)
    join_progress(into, other)
    join_subscriptions(into, other)
    limits.apply_limits(into, settings)


def _merge_consent(into: Profile, other: Profile, settings: FoldSettings) -> None:
    """Settles consent first: what one side withdrew leaves the other too, unless that one granted it later."""
    ours, theirs = dict(into.withdrawn), dict(other.withdrawn)
    _take_withdrawals(other, ours, settings)
    _take_withdrawals(into, theirs, settings)
    apply_consent(into, other.consent, settings)


def _take_withdrawals(profile: Profile, withdrawn: dict[str, int], settings: FoldSettings) -> None:
    for purpose, time_ms in sorted(withdrawn.items()):
        held = profile.consent.get(purpose)
        if held is not None and held.is_granted and held.time_ms > time_ms:
            profile.withdrawn[purpose] = max(time_ms, profile.withdrawn.get(purpose, time_ms))
        else:
            withdraw(profile, purpose, time_ms, settings)


def _merge_dates(into: Profile, other: Profile) -> None:
    if not other.n_events:
        return
    into.first_ms = min(into.first_ms, other.first_ms) if into.n_events else other.first_ms
    into.last_ms = max(into.last_ms, other.last_ms) if into.n_events else other.last_ms
    into.n_events += other.n_events


def _merge_identities(into: Profile, other: Profile) -> None:
    for kind, values in other.identities.items():
        mine = into.identities.setdefault(kind, {})
        for value, last_ms in values.items():
            mine[value] = max(last_ms, mine.get(value, last_ms))


def _merge_traits(into: dict[str, Trait], other: dict[str, Trait]) -> None:
    for name, trait in other.items():
        held = into.get(name)
        if held is None or held.precedes(trait.time_ms, trait.received_ms, trait.message_id):
            into[name] = trait


def _merge_devices(into: Profile, other: Profile) -> None:
    for name, device in other.devices.items():
        held = into.devices.get(name)
        if held is None:
            into.devices[name] = device
        else:
            held.n_events += device.n_events
            held.first_ms = min(held.first_ms, device.first_ms)
            held.last_ms = max(held.last_ms, device.last_ms)


def _merge_aggregates(into: Profile, other: Profile, settings: FoldSettings) -> None:
    rates = settings.rates
    join_sums(into.items, other.items, rates)
    for facet, sums in other.affinities.items():
        mine = into.affinities.get(facet, {})
        join_sums(mine, sums, rates)
        if mine:
            into.affinities[facet] = mine
    for facet, classes in other.numbers.items():
        held = into.numbers.setdefault(facet, {})
        for name, moments in classes.items():
            if name in held and name in rates:
                held[name].join(moments, rates[name])
            elif name in rates:
                held[name] = moments


def _add_counts(into: dict[_Key, int], other: dict[_Key, int]) -> None:
    for key, n in other.items():
        into[key] = into.get(key, 0) + n
