"""The subscription of a person: since when, how often renewed, and whether it has ended.

The words about it are kept, the latest ones, in the order of their times; what they say is worked out when it is read.
So a late word finds its place, and two profiles join as sets.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Profile, SubscriptionWord
from bespeak.signals.signal import Signal


@dataclass(frozen=True, slots=True)
class Subscription:
    """The latest subscription.

    Attributes:
        start_ms: when it began; `last_ms`: when it was last started or renewed.
        n_words: how often it was started or renewed, as far as words are kept.
        end_ms: when it ended; None while it goes on.
        value_minor, currency: what was last paid for it, in minor units; 0 where nobody said.
    """

    start_ms: int
    last_ms: int
    n_words: int
    end_ms: int | None
    value_minor: int
    currency: str


def fold_subscription(profile: Profile, observation: Observation, signal: Signal, *, is_on: bool, limit: int) -> None:
    """Folds a signal that tells of a start or a renewal, or of an end."""
    word = SubscriptionWord(
        observation.time_ms,
        observation.received_ms,
        observation.message_id,
        is_on,
        signal.signal_class,
        max(0, signal.value_minor),
        signal.currency,
    )
    insort(profile.subscription, word)
    if len(profile.subscription) > limit:
        del profile.subscription[0]


def join_subscriptions(into: Profile, other: Profile) -> None:
    """Takes the words of both."""
    into.subscription = sorted([*into.subscription, *other.subscription])


def subscription_of(
    words: Iterable[SubscriptionWord], classes: Collection[str], now_ms: int, gap_ms: int | None = None
) -> Subscription | None:
    """Returns the latest subscription, None where none has begun.

    Args:
        words: in the order of their times. classes: those that may be read.
        now_ms: the present.
        gap_ms: without a renewal for so long a subscription has ended; None: only a word ends it.

    Example:
        >>> words = [SubscriptionWord(day, day, "", True, "subscription", 999, "EUR") for day in (0, 30, 60)]
        >>> held = subscription_of(words, {"subscription"}, now_ms=70)
        >>> held.start_ms, held.n_words, held.end_ms
        (0, 3, None)
        >>> subscription_of(words, {"subscription"}, now_ms=170, gap_ms=45).end_ms
        105
    """
    start = last = n = value = 0
    end: int | None = None
    currency = ""
    for word in words:
        if word.signal_class not in classes:
            continue
        if not word.is_on:
            if n and end is None:
                end = word.time_ms
            continue
        is_lapsed = gap_ms is not None and word.time_ms - last > gap_ms
        if not n or end is not None or is_lapsed:
            start, n, end = word.time_ms, 0, None
        last, n = word.time_ms, n + 1
        if word.value_minor and word.currency:
            value, currency = word.value_minor, word.currency
    if not n:
        return None
    if end is None and gap_ms is not None and now_ms - last > gap_ms:
        end = last + gap_ms
    return Subscription(start, last, n, end, value, currency)
