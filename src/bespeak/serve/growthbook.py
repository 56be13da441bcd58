"""The API of GrowthBook's SDKs, on placements with variants.

`GET /api/features/{key}` gives the flags that an SDK can evaluate by itself: plain lines about the circumstances,
splits and constants, with the hash that the server uses too, so both give a visitor the same variant. Flags that read
the profile, that learn, or that an experiment runs on are left out; `POST /api/eval/{key}` answers all flags for one
visitor.

The key stands in addresses, so only public ones are taken there; a secret key or a person token comes in a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bespeak.engine import Slate, VariantPlacement
from bespeak.errors import RuleError
from bespeak.rules.growthbook import Attribute, condition
from bespeak.serve.deciding import Decider, PersonId
from bespeak.serve.ofrep import is_held
from bespeak.serve.replies import Answer, Failure
from bespeak.serve.requests import Caller, caller_of, decoded, readable_ids
from bespeak.web.access import key_of
from bespeak.web.site import Site

FEATURES, EVALUATE, EVENTS = "/api/features", "/api/eval", "/sub"
HASH_VERSION = 2

_CONTEXT = "context."
_ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType(
    {
        f"{_CONTEXT}{name}": Attribute(path)
        for name, path in {
            "device": "device",
            "os": "os",
            "locale": "locale",
            "timezone": "timezone",
            "country": "country",
            "city": "city",
            "page": "page.path",
            "campaign": "campaign.name",
            "source": "campaign.source",
            "medium": "campaign.medium",
        }.items()
    }
)
"""What rules name -> what a site gives its SDK. What only the server works out (hour, browser, …) is not here."""


class Attributes(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whom flags are evaluated for. Other fields are read as the `context` of a decision is.

    Attributes:
        id: a user id beside a secret key or the person's token, else an anonymous id.
        anonymous_id: the device.
    """

    id: PersonId | None = None
    anonymous_id: PersonId | None = None


class EvalBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of a remote evaluation; SDKs also send forcedVariations, forcedFeatures and url, which are not read."""

    attributes: Attributes = Attributes()


class _Given(msgspec.Struct, frozen=True):
    attributes: Annotated[dict[str, Any], Meta(description="as the site sets them")] = {}


class FeaturesReply(msgspec.Struct, frozen=True):
    """Features in the shape of GrowthBook's SDKs."""

    features: dict[str, dict[str, Any]]
    status: int = 200


class GrowthBook:
    """Answers the routes of GrowthBook's SDKs.

    Args:
        site: the open project.
        decider: the threads and the time budget of decisions.
    """

    def __init__(self, site: Site, decider: Decider) -> None:
        self._site = site
        self._decider = decider

    def features(self, key: str, headers: Mapping[str, str]) -> Answer:
        """Returns the flags that an SDK evaluates by itself; 304 where it holds them.

        Raises:
            NotAllowed: the key is unknown.
            Failure: 403 for a secret key.
        """
        self.public_caller(key, {})
        core = self._site.engine.core
        flags, declared = self._site.engine.flags, core.config.settings.context.declared
        found = {
            name: made
            for name, placement in flags.placements_ahead().items()
            if not flags.is_tried(name) and (made := feature(placement, core.world.seed, declared)) is not None
        }
        body = msgspec.json.encode(FeaturesReply(found))
        tag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
        extra = [(b"etag", tag.encode()), (b"cache-control", b"no-cache"), (b"x-sse-support", b"enabled")]
        is_same = is_held(headers.get("if-none-match", ""), tag)
        return Answer(304, b"", extra) if is_same else Answer(200, body, extra)

    async def evaluate(self, key: str, headers: Mapping[str, str], client: Any, body: bytes) -> Answer:
        """Returns all flags, evaluated for one visitor.

        Raises:
            BespeakError: the key is unknown or secret, or the body is wrong.
        """
        caller = self.public_caller(key, headers)
        wanted: EvalBody = decoded(body or b"{}", EvalBody)
        given: _Given = decoded(body or b"{}", _Given)
        who = wanted.attributes
        user_id, device = ("" if value is None else str(value) for value in (who.id, who.anonymous_id))
        is_person = caller.is_secret or bool(caller.user_id)
        ids = readable_ids(caller, user_id, device) if is_person else readable_ids(caller, "", device or user_id)
        raw = {name: value for name, value in given.attributes.items() if name not in ("id", "anonymousId")}
        context = self._decider.context(raw, caller, headers, client)
        flags = self._site.engine.flags
        keys = [name for name in flags.placements_ahead() if not flags.needs_id(name, ids)]
        slates = await self._decider.within_budget(
            lambda: flags.evaluate(keys, ids, context, source=caller.source(), is_ahead=True),
            lambda note: flags.fallback(keys, context, note),
        )
        placements = flags.placements_ahead()
        unit = ids[0].value if ids else ""
        found = {name: constant(placement) for name, placement in placements.items() if name not in keys}
        for slate in slates:
            name = slate.decision.placement
            if name in placements:
                found[name] = settled(placements[name], slate, unit)
        return Answer(200, msgspec.json.encode(FeaturesReply(found)), [(b"cache-control", b"no-store")])

    def public_caller(self, key: str, headers: Mapping[str, str]) -> Caller:
        """Returns who calls: by the headers where they carry a key, else by the key in the address.

        Raises:
            NotAllowed: a key or the person token is unknown.
            Failure: 403 for a secret key in the address, which logs and browsers keep.
        """
        access = self._site.keys.of(key)
        if access.kind == "secret":
            raise Failure(
                403,
                "secret_key_in_address",
                "A secret key must not stand in an address.",
                hint="Put a source's write key there, and the secret key into the Authorization header.",
            )
        if key_of(headers):
            return caller_of(self._site, headers)
        return caller_of(self._site, headers, key)


def updated(state: bytes) -> bytes:
    """Returns the event that tells an SDK to fetch the features again."""
    return b"event: features-updated\nid: " + state.hex()[:32].encode() + b"\ndata: {}\n\n"


def feature(placement: VariantPlacement, seed: int, declared: list[str]) -> dict[str, Any] | None:
    """Returns a flag as an SDK evaluates it by itself; None for one that it cannot.

    Args:
        placement: the flag.
        seed: of the project.
        declared: context keys that the project declares.
    """
    settings = placement.settings
    if settings.learn is not None or None in settings.variants.values():
        return None  # SDKs differ on a forced null
    attributes = {f"{_CONTEXT}{name}": Attribute(name, may_be_empty=True) for name in declared if "." not in name}
    rules: list[dict[str, Any]] = []
    for number, line in enumerate(placement.lines, 1):
        try:
            when = condition(line.rule, {**attributes, **_ATTRIBUTES})
        except RuleError:
            return None
        rules.append({"id": f"when-{number}", "condition": when, "force": settings.variants[line.variant]})
    split = placement.experiment(seed)
    if split is not None:
        shares = split.expected()
        rules.append(
            {
                "id": "split",
                "key": placement.name,
                "seed": split.seed,
                "hashVersion": HASH_VERSION,
                "hashAttribute": "anonymousId" if settings.sticky == "device" else "id",
                "variations": [settings.variants[variant] for variant in shares],
                "weights": list(shares.values()),
                "coverage": 1,
                "meta": [{"key": variant, "name": variant} for variant in shares],
            }
        )
    return {**constant(placement), "rules": rules}


def constant(placement: VariantPlacement) -> dict[str, Any]:
    """Returns a flag's default: what an SDK gives, too, to whom it cannot share out."""
    return {"defaultValue": placement.settings.variants[placement.settings.default]}


def settled(placement: VariantPlacement, slate: Slate, unit: str) -> dict[str, Any]:
    """Returns a flag as it was decided, with what the site's tracking callback is to be told where it was drawn.

    Args:
        placement: the flag.
        slate: what was decided.
        unit: the id that it was decided by.
    """
    variant, decision = slate.variant, slate.decision
    assert variant is not None
    tried = decision.experiment
    if variant.value is None or (tried is None and variant.source in ("rule", "default")):
        return {"defaultValue": variant.value}
    names = list(placement.settings.variants)
    number = names.index(variant.id) if variant.id in names else 0
    result = {
        "variationId": number,
        "key": variant.id,
        "name": variant.id,
        "value": variant.value,
        "inExperiment": True,
        "hashUsed": True,
        "hashAttribute": "anonymousId" if placement.settings.sticky == "device" else "id",
        "hashValue": unit,
        "featureId": placement.name,
        "stickyBucketUsed": False,
        "decisionId": decision.decision_id,
    }
    experiment = {"key": placement.name, "variations": list(placement.settings.variants.values())}
    if tried is not None:
        experiment["name"] = tried["name"]
    track = {"experiment": experiment, "result": result}
    return {"defaultValue": variant.value, "rules": [{"force": variant.value, "tracks": [track]}]}
