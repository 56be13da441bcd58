"""POST /api/decisions: logs a slate that another system showed, with its arm of an experiment."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bespeak.engine import ForeignItem
from bespeak.serve.reading import Call
from bespeak.serve.requests import decoded, readable_ids, require_secret
from bespeak.serve.shapes import ID_TEXT, NO_NUL, Id, NumberId
from bespeak.signals.ids import clean_id

PersonId = Annotated[str, Meta(max_length=255, pattern=ID_TEXT)] | NumberId


class ShownElsewhere(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item in the order shown; the other system's own score, and its propensity where it knows it."""

    id: Id | NumberId
    score: Annotated[float, Meta(ge=-1e300, le=1e300)] = 0.0
    propensity: Annotated[float, Meta(gt=0, le=1)] | None = None


class DecisionsBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/decisions.

    Attributes:
        items: what was shown, in order; of an item that stands twice the first place counts.
        decision_id: of the record, for events to name; made up when left out. That of this slate again changes
            nothing, that of another decision is refused.
    """

    placement: Annotated[str, Meta(min_length=1, max_length=100)]
    items: Annotated[list[ShownElsewhere], Meta(min_length=1, max_length=1000)]
    user_id: PersonId | None = None
    anonymous_id: PersonId | None = None
    profile_id: PersonId | None = None
    context: dict[str, Any] | None = None
    query: Annotated[str, Meta(max_length=500, pattern=NO_NUL)] | None = None
    decision_id: Annotated[str, Meta(max_length=100, pattern=NO_NUL)] | None = None


class Logged(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What was logged: under which experiment and variant, if the person is in an arm of another system."""

    decision_id: str
    placement: str
    policy: str
    experiment: dict[str, str] | None = None
    notes: list[str] = []


def log_decision(call: Call) -> Logged:
    """Logs a slate that another system showed; the answer follows the commit."""
    caller = call.caller()
    require_secret(caller)
    wanted: DecisionsBody = decoded(call.body, DecisionsBody)
    named = [str(value) if value is not None else "" for value in (wanted.user_id, wanted.anonymous_id)]
    decision = call.site.engine.decisions.log_slate(
        wanted.placement,
        [ForeignItem(id=clean_id(item.id, "items.id"), score=item.score, propensity=item.propensity)
         for item in wanted.items],
        readable_ids(caller, named[0], named[1], "" if wanted.profile_id is None else str(wanted.profile_id)),
        context=wanted.context,
        query=wanted.query or "",
        decision_id=wanted.decision_id or "",
    )  # fmt: skip
    return Logged(
        decision_id=decision.decision_id,
        placement=decision.placement,
        policy=decision.policy,
        experiment=decision.experiment,
        notes=list(decision.notes),
    )
