"""What was learned, as the store keeps it: one row of settings for each lesson.

A row holds sums, the moment up to which decisions are in them, and a hash of what decides how rows are made: sums under
another hash say nothing any more. Whoever writes takes the lock of the row and writes only over what it had read, so
that no node loses what another one folded.
"""

from __future__ import annotations

import msgspec

from bespeak.storage import records
from bespeak.storage.base import Session, Transaction

LEARNED = "learned"
"""Name of the version counter that tells of a change."""

_FORMAT = 1


class LearnedState(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one lesson.

    Attributes:
        digest: of what decides how rows are made.
        folded_ms: decisions up to this moment are in the sums; their weights are those of this moment.
        n_decisions: how many they are, none faded.
        refitted_ms: when the sums were last made anew from the log; 0 asks for it.
        sums: as the lesson packs them.
        format: of this row.
    """

    digest: str
    folded_ms: int
    n_decisions: int
    refitted_ms: int
    sums: bytes
    format: int = _FORMAT


def read_state(session: Session, key: str, digest: str) -> LearnedState | None:
    """Returns what is stored of a lesson, None where nothing is that its settings can use."""
    raw = records.setting(session, key)
    state = None if raw is None else msgspec.msgpack.decode(raw, type=LearnedState)
    return state if state is not None and (state.format, state.digest) == (_FORMAT, digest) else None


def put_state(tx: Transaction, key: str, before: LearnedState | None, state: LearnedState) -> bool:
    """Stores the sums in place of those that were read; False, and nothing is written, where others stand there."""
    tx.lock_keys([f"setting:{key}"])
    if read_state(tx, key, state.digest) != before:
        return False
    records.put_setting(tx, key, msgspec.msgpack.encode(state))
    records.bump(tx, LEARNED)
    return True


def ask_for_refit(tx: Transaction, key: str, digest: str) -> bool:
    """Marks sums to be made anew from the log; False where there are none."""
    tx.lock_keys([f"setting:{key}"])
    state = read_state(tx, key, digest)
    if state is None:
        return False
    asked = msgspec.structs.replace(state, refitted_ms=0)
    records.put_setting(tx, key, msgspec.msgpack.encode(asked))
    return True
