"""Event -> profile: one observation added in place.

The fold reads nothing but its arguments, so that a replay of the same observations in the same order gives the same
bytes, whatever the batches and however often the profile was stored in between.
"""

from __future__ import annotations

from bisect import insort
from math import isnan
from typing import Any

from bespeak.profiles import limits
from bespeak.profiles.commerce import fold_commerce
from bespeak.profiles.decay import MAX_STRENGTH, Decayed, Moments
from bespeak.profiles.observation import FacetValue, ItemFacets, Observation
from bespeak.profiles.profile import Consent, Device, PageView, Profile, Session, Step, Trait
from bespeak.profiles.progress import fold_progress
from bespeak.profiles.sessions import see_page, visit
from bespeak.profiles.settings import DAY_MS, ROLES, FoldSettings
from bespeak.profiles.subscription import fold_subscription
from bespeak.profiles.withdrawal import apply_consent
from bespeak.signals.signal import Signal

MAX_TEXT = 200
"""Characters of a facet value, a path or a place that are kept."""

_LONG_AGO = -(1 << 62)


def fold(profile: Profile, observation: Observation, settings: FoldSettings) -> None:
    """Adds one observation to a profile, in place. A bot's changes nothing.

    An observation must be folded once: the log's message ids see to that.
    """
    if observation.is_bot:
        return
    if not profile.fold_version:
        profile.fold_version = settings.fold_version
    time_ms = observation.time_ms
    if observation.consent:
        received_ms, message_id = observation.received_ms, observation.message_id
        words = {
            purpose: Consent(is_granted, time_ms, received_ms, message_id)
            for purpose, is_granted in observation.consent.items()
        }
        apply_consent(profile, words, settings)
    withdrawn = profile.withdrawn
    is_profiled = observation.is_profiled
    signals: tuple[Signal, ...] | list[Signal] = observation.signals
    if withdrawn:
        is_profiled = is_profiled and time_ms > withdrawn.get(settings.profile_purpose, _LONG_AGO)
        purposes = settings.purposes
        signals = [s for s in signals if time_ms > withdrawn.get(purposes.get(s.signal_class, ""), _LONG_AGO)]
    for key in observation.ids:
        _see_id(profile, key.kind, key.value, time_ms, settings)
    if not is_profiled and not signals:
        return
    _see_time(profile, time_ms, settings)
    session = None
    if is_profiled:
        if observation.traits:
            _set_traits(profile, observation, settings)
        session = _see_circumstances(profile, observation, settings)
    if signals:
        _fold_signals(profile, observation, signals, session, settings)


def _see_id(profile: Profile, kind: str, value: str, time_ms: int, settings: FoldSettings) -> None:
    values = profile.identities.get(kind)
    if values is None:
        values = profile.identities[kind] = {}
    if time_ms > values.get(value, _LONG_AGO):
        values[value] = time_ms
        if len(values) > settings.limits.n_identities:
            limits.drop_oldest_ids(values, settings.limits.n_identities)


def _see_time(profile: Profile, time_ms: int, settings: FoldSettings) -> None:
    if not profile.n_events:
        profile.first_ms = profile.last_ms = time_ms
        if profile.counts:  # a withdrawal took the dates and left the counts of other purposes
            limits.drop_old_days(profile, settings)
    elif time_ms > profile.last_ms:
        day_before = profile.last_ms // DAY_MS
        profile.last_ms = time_ms
        if time_ms // DAY_MS > day_before:
            limits.drop_old_days(profile, settings, since_day=day_before)
    elif time_ms < profile.first_ms:
        profile.first_ms = time_ms
    profile.n_events += 1


def _set_traits(profile: Profile, observation: Observation, settings: FoldSettings) -> None:
    for name, value in observation.traits.items():
        _write(profile.traits, name, plain(value), observation)
    limits.drop_oldest(profile.traits, settings.limits.n_traits, "time_ms")


def _write(held: dict[str, Trait], name: str, value: Any, observation: Observation) -> None:
    """Last writer wins, by time, receipt and message id."""
    trait = held.get(name)
    time_ms, received_ms, message_id = observation.time_ms, observation.received_ms, observation.message_id
    if trait is None:
        held[name] = Trait(value, time_ms, received_ms, message_id, observation.source)
    elif time_ms > trait.time_ms or trait.precedes(time_ms, received_ms, message_id):
        trait.value = value
        trait.time_ms = time_ms
        trait.received_ms = received_ms
        trait.message_id = message_id
        trait.source = observation.source


def plain(value: Any, depth: int = 4) -> Any:
    """Returns a value as it reads back from storage: numbers within 64 bits, lists, dicts with text keys, else text.

    Example:
        >>> plain((1, 2**70, {3: None}))
        [1, 1.1805916207174113e+21, {'3': None}]
    """
    if value is None or isinstance(value, str | bool | float):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else float(value)
    if depth and isinstance(value, list | tuple):
        return [plain(part, depth - 1) for part in value]
    if depth and isinstance(value, dict):
        return {str(key): plain(part, depth - 1) for key, part in value.items()}
    return str(value)[:MAX_TEXT]


def _see_circumstances(profile: Profile, observation: Observation, settings: FoldSettings) -> Session | None:
    """Folds place, device, session and page; returns the session, or None when the event is no visit."""
    context = observation.context
    time_ms = observation.time_ms
    places = profile.places
    if context.country:
        _write(places, "country", context.country[:MAX_TEXT], observation)
    if context.city:
        _write(places, "city", context.city[:MAX_TEXT], observation)
    if context.language:
        _write(places, "language", context.language[:MAX_TEXT], observation)
    if context.timezone:
        _write(places, "timezone", context.timezone[:MAX_TEXT], observation)
    if not observation.is_visit:
        return None
    if context.device:
        name = f"{context.device} {context.os} {context.browser}".strip()[:MAX_TEXT]
        device = profile.devices.get(name)
        if device is None:
            profile.devices[name] = Device(1, time_ms, time_ms)
            limits.drop_oldest(profile.devices, settings.limits.n_devices, "last_ms")
        else:
            device.n_events += 1
            if time_ms > device.last_ms:
                device.last_ms = time_ms
            elif time_ms < device.first_ms:
                device.first_ms = time_ms
    session = visit(profile, time_ms, settings)
    session.n_events += 1
    if context.device:
        session.devices[context.device] = session.devices.get(context.device, 0) + 1
    if observation.type in ("page", "screen"):
        path = context.page.get("path") or observation.name
        see_page(profile, session, PageView(time_ms, path[:MAX_TEXT], context.referrer_class), settings)
    return session


def _fold_signals(
    profile: Profile,
    observation: Observation,
    signals: tuple[Signal, ...] | list[Signal],
    session: Session | None,
    settings: FoldSettings,
) -> None:
    """Folds signals into counts, items, affinities, the recent sequence, orders, cart, progress and subscription."""
    time_ms = observation.time_ms
    rates, roles, facets = settings.rates, settings.roles, observation.facets
    roles_seen: list[tuple[str, Signal]] = []
    for signal in signals:
        name = signal.signal_class
        rate = rates.get(name)
        strength = _strength(signal.strength)
        if rate is None or strength is None:
            continue
        _count(profile, session, name, time_ms, settings)
        item_id = signal.item_id
        step = Step(time_ms, item_id, name, strength)
        if item_id:
            _fold_item(profile, step, rate, settings)
        known = facets.get(item_id)
        if known:
            _fold_facets(profile, known, step, rate, settings)
        role = roles.get(signal.name) or roles.get(name)
        if role == "progress":
            fold_progress(profile, observation, signal, settings)
        elif role in ("subscribe", "unsubscribe"):
            limit = settings.limits.n_subscription
            fold_subscription(profile, observation, signal, is_on=role == "subscribe", limit=limit)
        elif role is not None and role in ROLES:
            roles_seen.append((role, signal))
    if roles_seen:
        fold_commerce(profile, observation, roles_seen, settings)


def _strength(strength: float) -> float | None:
    """Returns a strength that can be summed, or None for what is not a number."""
    if -MAX_STRENGTH <= strength <= MAX_STRENGTH:
        return float(strength)
    if isnan(strength):
        return None
    return MAX_STRENGTH if strength > 0 else -MAX_STRENGTH


def _count(profile: Profile, session: Session | None, name: str, time_ms: int, settings: FoldSettings) -> None:
    if session is not None:
        session.counts[name] = session.counts.get(name, 0) + 1
    day = time_ms // DAY_MS
    if day > profile.last_ms // DAY_MS - settings.limits.window_days:
        days = profile.counts.get(name)
        if days is None:
            profile.counts[name] = {day: 1}
        else:
            days[day] = days.get(day, 0) + 1


def _fold_item(profile: Profile, step: Step, rate: float, settings: FoldSettings) -> None:
    held = profile.items.get(step.signal_class)
    if held is None:
        held = profile.items[step.signal_class] = {}
    decayed = held.get(step.item_id)
    if decayed is not None:
        decayed.add(step.strength, step.time_ms, rate)
    else:
        held[step.item_id] = Decayed(step.strength, step.time_ms)
        limits.keep_strongest(profile.items, settings.limits.n_items, profile.last_ms, settings, (step.item_id,))
    if step.signal_class not in settings.recent_classes:
        return
    recent = profile.recent
    if not recent or step.time_ms > recent[-1].time_ms:
        recent.append(step)
    else:
        insort(recent, step)
    if len(recent) > settings.limits.n_recent:
        del recent[0]


def _fold_facets(profile: Profile, known: ItemFacets, step: Step, rate: float, settings: FoldSettings) -> None:
    time_ms, name, strength = step.time_ms, step.signal_class, step.strength
    affinities, texts = profile.affinities, settings.facet_set
    for facet, values in known.items():
        if facet in texts:
            sums = affinities.get(facet)
            if sums is None:
                sums = affinities[facet] = {}
            held = sums.get(name)
            if held is None:
                held = sums[name] = {}
            begun: list[str] = []
            for value in values if type(values) is list else _as_texts(values):
                decayed = held.get(value)
                if decayed is not None:
                    decayed.add(strength, time_ms, rate)
                elif value and len(value) <= MAX_TEXT:
                    held[value] = Decayed(strength, time_ms)
                    begun.append(value)
            if begun:
                limits.keep_strongest(sums, settings.limits.n_facet_values, profile.last_ms, settings, begun)
            elif not held:
                del sums[name]
        elif facet in settings.numeric_set and isinstance(values, int | float) and abs(values) <= MAX_STRENGTH:
            number = float(values)
            moments = profile.numbers.setdefault(facet, {})
            if name in moments:
                moments[name].add(number, time_ms, rate)
            else:
                moments[name] = Moments(1.0, number, number * number, time_ms)


def _as_texts(value: FacetValue) -> list[str]:
    """Returns a facet that came as one text or number as a list of texts."""
    return [value if isinstance(value, str) else f"{value:g}"]
