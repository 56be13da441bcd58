"""Consent in the profile: the latest word per purpose, and what a withdrawal takes away.

A withdrawal drops everything of its purpose and leaves a mark: signals of a time up to it never count again, however
late they arrive, and a later grant starts anew. A withdrawal that itself arrives late drops newer signals too, since
a sum cannot be split; a refold of the log brings those back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bespeak.profiles.profile import Consent, Orders, Profile
from bespeak.profiles.settings import FoldSettings


def apply_consent(profile: Profile, words: Mapping[str, Consent], settings: FoldSettings) -> None:
    """Records the latest word about each purpose and drops what a withdrawal takes."""
    for purpose, word in words.items():
        if not word.is_granted:
            withdraw(profile, purpose, word.time_ms, settings)
        held = profile.consent.get(purpose)
        if held is None or (held.time_ms, held.received_ms, held.message_id) < (
            word.time_ms,
            word.received_ms,
            word.message_id,
        ):
            profile.consent[purpose] = word


def withdraw(profile: Profile, purpose: str, time_ms: int, settings: FoldSettings) -> None:
    """Drops everything that is kept for `purpose`, unless a withdrawal of this time or later did so already."""
    if time_ms <= profile.withdrawn.get(purpose, -1):
        return
    profile.withdrawn[purpose] = time_ms
    drop_purpose(profile, purpose, settings)


def drop_purpose(profile: Profile, purpose: str, settings: FoldSettings) -> None:
    """Drops every class of a purpose; for the purpose of the profile also what has no class."""
    dropped = {name for name, of in settings.purposes.items() if of == purpose}
    if dropped:
        _drop_classes(profile.affinities, dropped)
        _drop_classes(profile.numbers, dropped)
        for name in dropped & profile.items.keys():
            del profile.items[name]
        profile.recent = [step for step in profile.recent if step.signal_class not in dropped]
        for session in profile.sessions:
            for name in dropped & session.counts.keys():
                del session.counts[name]
        for name in dropped & profile.counts.keys():
            del profile.counts[name]
        if dropped.intersection(profile.orders.classes):
            profile.orders = Orders()
        profile.cart = {item_id: line for item_id, line in profile.cart.items() if line.signal_class not in dropped}
        profile.progress = {
            item_id: told for item_id, told in profile.progress.items() if told.signal_class not in dropped
        }
        profile.subscription = [word for word in profile.subscription if word.signal_class not in dropped]
        if profile.cart_set is not None and profile.cart_set.signal_class in dropped:
            profile.cart_set = None
    if purpose == settings.profile_purpose:
        profile.n_events = profile.first_ms = profile.last_ms = profile.n_older_sessions = 0
        profile.traits, profile.places, profile.devices, profile.sessions = {}, {}, {}, []


def _drop_classes(entries: dict[str, dict[str, Any]], dropped: set[str]) -> None:
    for classes in entries.values():
        for name in dropped & classes.keys():
            del classes[name]
    for name in [name for name, held in entries.items() if not held]:
        del entries[name]
