"""Sessions as a union of intervals: two events belong to one visit when a chain of gaps within the limit joins them.

That is single linkage on a line, so the visits do not depend on the order in which events arrive: a late event
extends a visit, starts one, or bridges two.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from operator import attrgetter

from bespeak.profiles.profile import PageView, Profile, Session
from bespeak.profiles.settings import FoldSettings

_START = attrgetter("start_ms")


def visit(profile: Profile, time_ms: int, settings: FoldSettings) -> Session:
    """Returns the session that an event of `time_ms` belongs to, extended, begun or bridged as needed."""
    sessions = profile.sessions
    gap_ms = settings.session_gap_ms
    if sessions:
        last = sessions[-1]
        if last.start_ms <= time_ms <= last.end_ms + gap_ms:
            last.end_ms = max(last.end_ms, time_ms)
            return last
    fresh = Session(time_ms, time_ms)
    return unite(profile, fresh, settings)


def unite(profile: Profile, fresh: Session, settings: FoldSettings) -> Session:
    """Puts `fresh` in its place, joined with every session within the gap; returns the session that holds it now.

    When the number of sessions is at its limit and `fresh` is older than all, the returned session is not kept.
    """
    sessions = profile.sessions
    gap_ms = settings.session_gap_ms
    position = bisect_right(sessions, fresh.start_ms, key=_START)
    if position and sessions[position - 1].end_ms + gap_ms >= fresh.start_ms:
        position -= 1
        join(sessions[position], fresh, settings)
        fresh = sessions[position]
    else:
        sessions.insert(position, fresh)
    while position + 1 < len(sessions) and sessions[position + 1].start_ms <= fresh.end_ms + gap_ms:
        join(fresh, sessions.pop(position + 1), settings)
    limits = settings.limits
    while len(sessions) > limits.n_sessions:
        del sessions[0]
        profile.n_older_sessions += 1
    if len(sessions) > limits.n_page_sessions:
        for session in sessions[: -limits.n_page_sessions]:
            if session.pages:
                session.pages = []
    return fresh


def join(into: Session, other: Session, settings: FoldSettings) -> None:
    """Adds another session's events to a session."""
    into.start_ms = min(into.start_ms, other.start_ms)
    into.end_ms = max(into.end_ms, other.end_ms)
    into.n_events += other.n_events
    into.n_pages += other.n_pages
    if other.entry is not None:
        into.entry = other.entry if into.entry is None else min(into.entry, other.entry)
    if other.exit is not None:
        into.exit = other.exit if into.exit is None else max(into.exit, other.exit)
    if other.pages:
        into.pages = sorted(into.pages + other.pages)[-settings.limits.n_pages :]
    for name, n in other.counts.items():
        into.counts[name] = into.counts.get(name, 0) + n
    for name, n in other.devices.items():
        into.devices[name] = into.devices.get(name, 0) + n


def see_page(profile: Profile, session: Session, page: PageView, settings: FoldSettings) -> None:
    """Adds one page view to a session; only the latest sessions keep a path."""
    session.n_pages += 1
    if session.entry is None or page < session.entry:
        session.entry = page
    if session.exit is None or page > session.exit:
        session.exit = page
    sessions, limits = profile.sessions, settings.limits
    if len(sessions) > limits.n_page_sessions and session.start_ms < sessions[-limits.n_page_sessions].start_ms:
        return
    insort(session.pages, page)
    if len(session.pages) > limits.n_pages:
        del session.pages[0]
