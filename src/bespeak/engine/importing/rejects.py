"""What could not be taken in: reading the list, and trying again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from bespeak.engine.core import Core
from bespeak.engine.writing.writer import WriteRequest, Written
from bespeak.errors import InvalidInput
from bespeak.intake.segment import decode_lines
from bespeak.intake.wire import SourceInfo
from bespeak.privacy.pseudonyms import pseudonym
from bespeak.signals.events import Event
from bespeak.storage.tables import log
from bespeak.storage.tables.log import Reject

BATCH = 500
FOLD_FAILED = "fold_failed"


class RejectList(msgspec.Struct, frozen=True, kw_only=True):
    """The newest rejects and, for all that are kept, how many have which reason."""

    counts: dict[str, int]
    rejects: list[ShownReject]


class ShownReject(msgspec.Struct, frozen=True, kw_only=True):
    """One reject without its body: a list on a screen shows nobody's data."""

    id: int
    received_ms: int
    source: str
    reason: str
    detail: str
    line_number: int
    has_body: bool


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What trying again gave: `without_body` are among the remaining ones."""

    accepted: int = 0
    duplicate: int = 0
    remaining: int = 0
    without_body: int = 0


def list_rejects(core: Core, *, limit: int = 20, reason: str | None = None) -> RejectList:
    """Returns the newest rejects, the newest first."""
    with core.store.read() as session:
        counts = log.reject_counts(session)
        found: list[tuple[int, Reject]] = []
        if reason is None or reason in counts:
            n_needed = limit if reason is None else sum(counts.values())
            found = [row for row in log.rejects(session, n_needed) if reason in (None, row[1].reason)][:limit]
    return RejectList(
        counts=counts,
        rejects=[
            ShownReject(
                id=reject_id,
                received_ms=r.received_ms,
                source=r.source,
                reason=r.reason,
                detail=r.detail,
                line_number=r.line_number,
                has_body=r.body is not None,
            )
            for reject_id, r in found
        ],
    )


def replay_rejects(
    core: Core, *, reason: str | None = None, progress: Callable[[float], None] | None = None
) -> Replayed:
    """Tries rejected events again under the active configuration; those taken in leave the list.

    A body is an event as a client sent it, or one that failed while it was folded. Lines of tables are not tried:
    import the mended file again, what is there stays once.
    """
    with core.store.read() as session:
        everything = log.rejects(session, sum(log.reject_counts(session).values()))
    wanted = [row for row in reversed(everything) if reason in (None, row[1].reason)]
    accepted = duplicate = without_body = n_left = 0
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        for reject_id, reject in batch:
            event, is_ours = (None, False) if reject.body is None else _event(core, reject, reject.body)
            if event is None:
                without_body += reject.body is None
                n_left += 1
                continue
            if is_ours and reject.reason != FOLD_FAILED:
                _free(core, event)
            written: Written = core.submit(WriteRequest(events=[event])).result()
            if written.n_rejected:
                # It was put on the list anew, with the reason that holds now.
                n_left += 1
            accepted += written.n_accepted
            duplicate += written.n_duplicate
            _drop(core, [reject_id])
        if progress is not None:
            progress((start + len(batch)) / len(wanted))
    return Replayed(accepted=accepted, duplicate=duplicate, remaining=n_left, without_body=without_body)


def _free(core: Core, event: Event) -> None:
    """Forgets the message id of an event that was refused: the refusal itself had taken it, so that no retry counts."""
    with core.store.write() as tx:
        tx.run("DELETE FROM message_ids WHERE message_key = ?", (pseudonym(core.message_secret, event.message_id),))


def _drop(core: Core, reject_ids: Sequence[int]) -> None:
    with core.store.write() as tx:
        for reject_id in reject_ids:
            tx.run("DELETE FROM rejected WHERE reject_id = ?", (reject_id,))


def _event(core: Core, reject: Reject, body: bytes) -> tuple[Event | None, bool]:
    """Returns the event in a body and whether it had passed the codec: the write path refused it, or a fold failed."""
    source = core.config.settings.sources.get(reject.source)
    if source is None:
        return None, False
    try:
        return msgspec.json.decode(body, type=Event), True
    except msgspec.MsgspecError:
        pass
    info = SourceInfo(name=reject.source, kind=source.kind)
    try:
        decoded = decode_lines([body], received_ms=reject.received_ms, source=info)
    except InvalidInput:
        return None, False
    return decoded.events[0] if decoded.events else None, False
