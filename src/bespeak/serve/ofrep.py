"""OFREP: OpenFeature's remote evaluation protocol (version 0.3), on placements with variants.

A flag is a placement with variants. The protocol's answers and errors have shapes of their own, which the clients hold
us to: every success names key, value, reason, variant and metadata, every error key, errorCode and errorDetails.

A single evaluation asks for one flag at the moment of its use. A bulk evaluation asks for all flags ahead, and most are
never looked at: their decisions count as shown only once a `Variant Viewed` or `Experiment Viewed` event names their
`decisionId`, which stands in the metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal, get_args

import msgspec

from bespeak.engine import Slate, VariantPlacement
from bespeak.errors import BespeakError, InvalidInput, UnknownName
from bespeak.serve.deciding import Decider, PersonId
from bespeak.serve.replies import Answer, Failure, status_of
from bespeak.serve.requests import Caller, caller_of, readable_ids, whole_numbers
from bespeak.serve.streams import Streams
from bespeak.signals.events import Context
from bespeak.signals.ids import IdKey
from bespeak.web.site import Site

BASE = "/ofrep/v1/evaluate/flags"
EVENTS = "/ofrep/v1/events"
INACTIVITY_SECONDS = 120

Reason = Literal["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT"]
ErrorCode = Literal[
    "PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "FLAG_NOT_FOUND", "GENERAL"
]  # fmt: skip
_CODES = frozenset(get_args(ErrorCode))
_NAMES = ("targetingKey", "anonymousId")


class EvaluationContext(msgspec.Struct, frozen=True, kw_only=True):
    """Whom and what a flag is evaluated for. Other fields are read as the `context` of a decision is.

    Attributes:
        targeting_key: the visitor: a user id beside a secret key or the person's token, else an anonymous id.
        anonymous_id: the device, beside a user id.
    """

    targeting_key: PersonId | None = msgspec.field(default=None, name="targetingKey")
    anonymous_id: PersonId | None = msgspec.field(default=None, name="anonymousId")


class EvaluationBody(msgspec.Struct, frozen=True):
    """The body of both evaluations."""

    context: EvaluationContext = EvaluationContext()


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """A flag's answer.

    Attributes:
        metadata: decisionId, policy, mode, propensity, decidedBy, and the experiment if there is one.
    """

    key: str
    value: Any
    reason: Reason
    variant: str
    metadata: dict[str, str | float | bool] = {}


class NotEvaluated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a flag (or all of them) has no answer."""

    error_code: ErrorCode = msgspec.field(name="errorCode")
    error_details: str = msgspec.field(name="errorDetails")
    key: str | None = None


class BulkReply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a bulk evaluation.

    Attributes:
        flags: each as a single evaluation answers it, or its error.
        event_streams: where a client is told to ask again.
    """

    flags: list[Any]
    metadata: dict[str, str | float | bool] = {}
    event_streams: list[dict[str, Any]] = msgspec.field(default_factory=list, name="eventStreams")


class Ofrep:
    """Answers the routes below /ofrep/v1.

    Args:
        site: the open project.
        decider: the threads and the time budget of decisions.
        streams: tells clients to ask again.
    """

    def __init__(self, site: Site, decider: Decider, streams: Streams) -> None:
        self._site = site
        self._decider = decider
        self._streams = streams

    async def evaluate(self, key: str, headers: Mapping[str, str], client: Any, body: bytes) -> Answer:
        """Evaluates one flag at the moment of its use.

        Raises:
            BespeakError: see `failure_of`.
        """
        caller, ids, context = self._asked(headers, client, body)
        flags = self._site.engine.flags
        if flags.needs_id(key, ids):
            raise _no_id(flags.placements()[key])
        [slate] = await self._decider.within_budget(
            lambda: flags.evaluate([key], ids, context, source=caller.source()),
            lambda note: flags.fallback([key], context, note),
        )
        return Answer(200, msgspec.json.encode(evaluated(flags.placements().get(key), slate)))

    async def evaluate_all(self, headers: Mapping[str, str], client: Any, body: bytes) -> Answer:
        """Evaluates all flags, ahead of their use; 304 where the client holds the same answers.

        Raises:
            BespeakError: see `failure_of`.
        """
        caller, ids, context = self._asked(headers, client, body)
        flags = self._site.engine.flags
        placements = flags.placements_ahead()
        keys = [key for key in placements if not flags.needs_id(key, ids)]
        slates = await self._decider.within_budget(
            lambda: flags.evaluate(keys, ids, context, source=caller.source(), is_ahead=True),
            lambda note: flags.fallback(keys, context, note),
        )
        found = {slate.decision.placement: slate for slate in slates}
        answers: list[Evaluated | NotEvaluated] = [
            evaluated(placement, found[key]) if key in found else _failed(_no_id(placement), key)
            for key, placement in placements.items()
        ]
        is_fallback = any(slate.decision.mode == "fallback" for slate in slates)
        address = self._streams.address(EVENTS, ids)
        tag = etag_of(answers, address)
        if not is_fallback and is_held(headers.get("if-none-match", ""), tag):
            return Answer(304, b"", [(b"etag", tag.encode())])
        stream = {"type": "sse", "endpoint": {"requestUri": address}, "inactivityDelaySec": INACTIVITY_SECONDS}
        reply = BulkReply(flags=answers, event_streams=[stream])
        return Answer(200, msgspec.json.encode(reply), [] if is_fallback else [(b"etag", tag.encode())])

    def _asked(self, headers: Mapping[str, str], client: Any, body: bytes) -> tuple[Caller, list[IdKey], Context]:
        caller = caller_of(self._site, headers)
        given = context_of(body)
        who = _named(given)
        key, device = (str(value) if value is not None else "" for value in (who.targeting_key, who.anonymous_id))
        is_person = caller.is_secret or bool(caller.user_id)
        ids = readable_ids(caller, key, device) if is_person else readable_ids(caller, "", device or key)
        raw = {name: value for name, value in given.items() if name not in _NAMES}
        return caller, ids, self._decider.context(raw, caller, headers, client)


def context_of(body: bytes) -> dict[str, Any]:
    """Returns the evaluation context of a body; {} where it has none.

    Raises:
        Failure: PARSE_ERROR for what is no JSON object, INVALID_CONTEXT for a context that is none.

    Example:
        >>> context_of(b'{"context": {"targetingKey": "u1"}}')
        {'targetingKey': 'u1'}
    """
    try:
        found = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Failure(400, "PARSE_ERROR", f"The body is not valid JSON: {error}.") from None
    if not isinstance(found, dict):
        raise Failure(400, "PARSE_ERROR", "The body is no JSON object.", hint='Send {"context": {...}}.')
    context = found.get("context")
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise Failure(400, "INVALID_CONTEXT", "The context is no object.", hint='Send {"context": {...}}.')
    return context


def _named(context: dict[str, Any]) -> EvaluationContext:
    named = {name: context[name] for name in _NAMES if name in context}
    try:
        return msgspec.convert(whole_numbers(named), EvaluationContext)
    except msgspec.ValidationError as error:
        raise Failure(400, "INVALID_CONTEXT", f"{error}.") from None


def evaluated(placement: VariantPlacement | None, slate: Slate) -> Evaluated:
    """Returns a flag's answer as the protocol writes it.

    Args:
        placement: its settings; None where it was taken away meanwhile.
        slate: what was decided.
    """
    variant, decision = slate.variant, slate.decision
    assert variant is not None
    metadata: dict[str, str | float | bool] = {
        "policy": decision.policy,
        "mode": decision.mode,
        "decidedBy": variant.source,
        "propensity": variant.propensity,
    }
    if decision.decision_id:
        metadata["decisionId"] = decision.decision_id
    if decision.experiment is not None:
        metadata |= {"experiment": decision.experiment["name"], "experimentVariant": decision.experiment["variant"]}
    return Evaluated(
        key=decision.placement,
        value=variant.value,
        reason=_reason(placement, variant.source, is_tried=decision.experiment is not None),
        variant=variant.id,
        metadata=metadata,
    )


def _reason(placement: VariantPlacement | None, source: str, *, is_tried: bool) -> Reason:
    if source == "rule":
        return "TARGETING_MATCH"
    if source != "default" or is_tried:
        return "SPLIT"
    has_choice = placement is None or placement.settings.when or placement.settings.split
    return "DEFAULT" if has_choice else "STATIC"


def etag_of(answers: Sequence[Evaluated | NotEvaluated], address: str) -> str:
    """Returns the entity tag of answers: whatever changes one of them changes it.

    So it covers the configuration, the whole context and the visitor's state as far as they matter; and the address
    of the stream, so that nobody keeps one that has run out.
    """
    body = msgspec.json.encode([answers, address], order="deterministic")
    return f'"{blake2b(body, digest_size=16).hexdigest()}"'


def is_held(if_none_match: str, tag: str) -> bool:
    """Whether a client says that it holds what a tag stands for.

    Example:
        >>> is_held('W/"a", "b"', '"b"'), is_held("*", '"b"'), is_held("", '"b"')
        (True, True, False)
    """
    held = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return tag in held or "*" in held


def refetch(state: bytes) -> bytes:
    """Returns the event that tells a client to evaluate again."""
    message = {"type": "refetchEvaluation", "etag": state.hex()[:32]}
    return b"data: " + msgspec.json.encode(message) + b"\n\n"


def failure_of(error: BespeakError, path: str) -> tuple[int, bytes]:
    """Returns an error as the protocol writes it: status and body."""
    key = path.removeprefix(f"{BASE}/") if path.startswith(f"{BASE}/") else ""
    is_unknown = isinstance(error, UnknownName) and bool(key)
    status = 404 if is_unknown else status_of(error)
    return status, msgspec.json.encode(_failed(error, key))


def _failed(error: BespeakError, key: str) -> NotEvaluated:
    code: Any = error.code if error.code in _CODES else "GENERAL"
    if isinstance(error, UnknownName) and key:
        code = "FLAG_NOT_FOUND"
    return NotEvaluated(key=key or None, error_code=code, error_details=str(error))


def _no_id(placement: VariantPlacement) -> InvalidInput:
    by_device = placement.settings.sticky == "device"
    wanted = "anonymousId" if by_device else "targetingKey"
    return InvalidInput(
        f"'{placement.name}' shares visitors out, and the context does not say whom it is evaluated for.",
        hint=f"Send `{wanted}`.",
        code="TARGETING_KEY_MISSING",
    )
