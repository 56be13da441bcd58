"""Who is in which segment now, until when that holds by itself, and what moved.

A membership changes with an event of the person, or with time alone (a window moves on, an affinity fades). `evaluate`
is run when a profile changed, and again when `flips_at_ms` is due: the store keeps an index of these times, so that
nobody is rescanned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bespeak.profiles.record import ProfileRecord
from bespeak.profiles.view import ProfileView
from bespeak.rules import Verdict
from bespeak.segments.definitions import Segment


class Move(NamedTuple):
    """A person entered (`is_member`) or left a segment."""

    segment: str
    is_member: bool


def evaluate(segments: Sequence[Segment], view: ProfileView) -> dict[str, Verdict]:
    """Decides every segment for one person at the view's time.

    Args:
        segments: as `compile_segments` returns them, each after those it names.
        view: the profile through its granted purposes.

    Returns:
        Name -> whether the person is in, and the first time at which that may change without an event (None: never).
        The time may come too early, never too late.
    """
    record = ProfileRecord(view)
    verdicts: dict[str, Verdict] = {}
    for segment in segments:
        verdict = verdicts[segment.name] = _decide(segment, record)
        record.members[segment.name] = (verdict.holds, verdict.flips_at_ms)
    return verdicts


def _decide(segment: Segment, record: ProfileRecord) -> Verdict:
    now_ms = record.view.now_ms
    verdict = segment.rule.verdict(record, now_ms)
    times = [verdict.flips_at_ms, *(record.holds_until(column) for column in segment.rule.columns)]
    due = [max(time_ms, now_ms + 1) for time_ms in times if time_ms is not None]
    return Verdict(verdict.holds, min(due, default=None))


def moves(before: Mapping[str, bool], after: Mapping[str, Verdict]) -> list[Move]:
    """Returns what changed, in the order of the segments; who was never looked at was in no segment.

    Example:
        >>> moves({"buyers": True}, {"buyers": Verdict(False, None), "keen": Verdict(True, None)})
        [Move(segment='buyers', is_member=False), Move(segment='keen', is_member=True)]
    """
    return [Move(name, v.holds) for name, v in after.items() if v.holds != before.get(name, False)]


def next_due(verdicts: Mapping[str, Verdict]) -> int | None:
    """Returns the earliest time at which any membership may change by itself."""
    return min((v.flips_at_ms for v in verdicts.values() if v.flips_at_ms is not None), default=None)
