"""Live segment membership: decided after each fold for the people it touched, and when time alone can flip it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bespeak.engine.folding.observe import Observer
from bespeak.profiles.profile import Profile
from bespeak.profiles.view import ProfileView
from bespeak.segments.definitions import Segment
from bespeak.segments.membership import evaluate, moves
from bespeak.storage.base import Transaction
from bespeak.storage.tables import memberships


def update_members(
    tx: Transaction,
    segments: Sequence[Segment],
    profiles: Mapping[int, Profile],
    observer: Observer,
    *,
    now_ms: int,
    log_id: int,
) -> int:
    """Decides every segment for these people, writes what changed, and returns the number of moves."""
    if not segments or not profiles:
        return 0
    held = memberships.members_of(tx, profiles)
    rows: list[tuple[str, int, int, bool, int | None]] = []
    made: list[tuple[int, str, bool, int, int]] = []
    for person, profile in profiles.items():
        before = held.get(person, {})
        verdicts = evaluate(segments, view_of(observer, profile, now_ms))
        moved = moves({name: is_in for name, (is_in, _, _) in before.items()}, verdicts)
        made += [(person, move.segment, move.is_member, now_ms, log_id) for move in moved]
        for name, verdict in verdicts.items():
            is_in, since_ms, flips_at_ms = before.get(name, (False, now_ms, None))
            if name not in before and not verdict.holds and verdict.flips_at_ms is None:
                continue
            if name not in before or is_in != verdict.holds or flips_at_ms != verdict.flips_at_ms:
                since = since_ms if name in before and is_in == verdict.holds else now_ms
                rows.append((name, person, since, verdict.holds, verdict.flips_at_ms))
    memberships.put_members(tx, rows)
    memberships.add_moves(tx, made)
    return len(made)


def view_of(observer: Observer, profile: Profile, now_ms: int) -> ProfileView:
    """Returns the profile under what the person said; without a word, under what was rightly folded."""
    refused = {purpose for purpose, word in profile.consent.items() if not word.is_granted}
    purposes = [name for name in observer.purposes.all if name not in refused]
    return ProfileView(profile, observer.fold_settings, now_ms, purposes=purposes, predictors=observer.predictors())
