"""Routes of offers: codes into a pool, and a code for somebody."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from bespeak.engine.clock import iso
from bespeak.intake.context import read_context
from bespeak.serve.reading import Call, Changed
from bespeak.serve.replies import Failure
from bespeak.serve.requests import decoded, require_secret
from bespeak.serve.shapes import Id, NumberId
from bespeak.signals.events import Context

Code = Annotated[str, Meta(pattern="^[!-~]{1,200}$", description="ASCII without spaces")]


class CodesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /api/offers/{item_id}/codes."""

    codes: Annotated[list[Code], Meta(min_length=1, max_length=10_000)]


class IssueBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/offers/{item_id}/issue: who takes the offer up."""

    user_id: Id | NumberId | None = None
    anonymous_id: Id | NumberId | None = None


class Issued(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A code that somebody holds now; they get the same when they ask again."""

    offer: str
    code: str
    issued_at: str


def add_codes(call: Call) -> Changed:
    """Adds codes to an offer's pool; `n` of them were new."""
    require_secret(call.caller())
    wanted: CodesBody = decoded(call.body, CodesBody)
    return Changed(call.site.engine.offers.add_codes(call.path["item_id"], wanted.codes))


def issue(call: Call) -> Issued:
    """Gives somebody a code of an offer: asked for by a secret key, or by the person themselves (by token).

    Whoever asks for themselves gets one only where the offer's own rule `eligible` holds.
    """
    caller = call.caller()
    wanted: IssueBody = decoded(call.body, IssueBody)
    user_id, anonymous_id = ("" if one is None else str(one) for one in (wanted.user_id, wanted.anonymous_id))
    if not caller.is_secret and (not caller.user_id or caller.user_id != user_id or anonymous_id):
        raise Failure(403, "not_yours", "A code is issued to a secret key or to the person.",
                      hint="Send X-Person-Token.")  # fmt: skip
    held = call.site.engine.offers.issue(
        call.path["item_id"],
        user_id=user_id,
        anonymous_id=anonymous_id,
        for_themselves=None if caller.is_secret else _circumstances(call),
    )
    return Issued(offer=held.item_id, code=held.code, issued_at=iso(held.issued_ms))


def _circumstances(call: Call) -> Context:
    core = call.site.engine.core
    declared = core.config.settings.context.declared
    return read_context({}, time_ms=core.now_ms(), user_agent=call.headers.get("user-agent"), declared_keys=declared)
