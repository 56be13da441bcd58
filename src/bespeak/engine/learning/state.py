"""What was learned, as the store keeps it: one row of settings for each lesson.

A row holds sums, the moment that they are of, and a hash of what decides how rows are made: sums under another hash say
nothing any more. Of decisions whose window is open it says what was heard of them, so that what they put into the sums
can be taken out again. Whoever writes takes the lock of the row and writes only over what it had read, so that no node
loses what another one folded.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from bespeak.storage.base import Session, Transaction
from bespeak.storage.tables import records

LEARNED = "learned"
"""Name of the version counter that tells of a change."""

_FORMAT = 2


class Heard(msgspec.Struct, frozen=True, array_like=True):
    """What is known by now of a decision whose window is open.

    Attributes:
        is_in: whether it counts at all.
        named: (class or name, item id) of events that name it; done: classes and names of what the person did. Each
            sorted, and only what the lesson asks for.
    """

    is_in: bool
    named: tuple[tuple[str, str], ...] = ()
    done: tuple[str, ...] = ()


class LearnedState(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one lesson.

    Attributes:
        digest: of what decides how rows are made.
        moment_ms: when this was so: every decision up to then counts as much as its age asks for, and fades from it.
        log_position: events up to it were looked at.
        n_decisions: how many decisions are in the sums, none faded.
        refitted_ms: when the sums were last made anew from the log; 0 asks for it.
        sums: as the lesson packs them.
        heard: by `key_of` the decision; one that is missing counts where its person is known, and nothing came of it.
        format: of this row.
    """

    digest: str
    moment_ms: int
    log_position: int
    n_decisions: int
    refitted_ms: int
    sums: bytes
    heard: dict[int, Heard]
    format: int = _FORMAT


class _Kind(msgspec.Struct):
    """What every release can read of a row."""

    digest: str
    format: int
    moment_ms: int = 0


def key_of(decision_id: str) -> int:
    """What stands for a decision in a row: 63 bits of a hash."""
    return int.from_bytes(blake2b(decision_id.encode(), digest_size=8).digest(), "little") >> 1


def read_state(session: Session, key: str, digest: str) -> LearnedState | None:
    """Returns what is stored of a lesson, None where nothing is that its settings can use."""
    raw = records.setting(session, key)
    if raw is None:
        return None
    kind = msgspec.msgpack.decode(raw, type=_Kind)
    is_ours = (kind.digest, kind.format) == (digest, _FORMAT)
    return msgspec.msgpack.decode(raw, type=LearnedState) if is_ours else None


def moment_of(session: Session, key: str) -> int:
    """Returns of when a row is, whatever it says; 0 where it is of another release."""
    raw = records.setting(session, key)
    kind = None if raw is None else msgspec.msgpack.decode(raw, type=_Kind)
    return kind.moment_ms if kind is not None and kind.format == _FORMAT else 0


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
