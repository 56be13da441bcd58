"""How much of an item was played: a film half seen, a chapter heard to its end.

The latest word counts, by time, receipt and message id: who goes back to the beginning has little of it behind them. A
word without a position says nothing.
"""

from __future__ import annotations

from bespeak.profiles import limits
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Profile, Progress
from bespeak.profiles.settings import FoldSettings
from bespeak.signals.signal import Signal


def fold_progress(profile: Profile, observation: Observation, signal: Signal, settings: FoldSettings) -> None:
    """Folds a signal whose strength is the part of its item that was played."""
    if not signal.item_id or not signal.strength > 0:
        return
    told = Progress(
        min(1.0, float(signal.strength)),
        observation.time_ms,
        observation.received_ms,
        observation.message_id,
        signal.signal_class,
    )
    held = profile.progress.get(signal.item_id)
    if held is None or held.stamp <= told.stamp:
        profile.progress[signal.item_id] = told
        limits.drop_oldest(profile.progress, settings.limits.n_progress, "time_ms")


def join_progress(into: Profile, other: Profile) -> None:
    """Keeps the latest word about each item."""
    for item_id, told in other.progress.items():
        held = into.progress.get(item_id)
        if held is None or held.stamp < told.stamp:
            into.progress[item_id] = told
