"""What free-form parts of bodies may hold, for the API document: items, patches of items, events.

The codecs of `intake` and `catalogue` read these parts and say in words what is wrong; the types here tell the same to
programs. A test sends what they allow and holds the server to taking it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

NO_NUL = r"^[^\u0000]*$"
ID_TEXT = r"^[^\u0000\u001f]*$"
MAX_EXACT = 2**53

Id = Annotated[
    str, Meta(min_length=1, max_length=255, pattern=ID_TEXT, description="an id: at most 255 bytes of UTF-8")
]
NumberId = Annotated[int, Meta(ge=-MAX_EXACT, le=MAX_EXACT, description="a number, which becomes text")]
Text = Annotated[str, Meta(max_length=2000, pattern=NO_NUL, description="at most 8,192 bytes of UTF-8, no NUL")]
LongText = Annotated[str, Meta(max_length=16_000, pattern=NO_NUL)]
Rule = Annotated[
    str,
    Meta(
        max_length=4096,
        description="an expression of the rule language over the columns of items",
        examples=["price < 100", "category IN ('audio', 'books') AND NOT brand = 'Basswerk'"],
        extra_json_schema={"format": "bespeak-rule"},
    ),
]
Key = Annotated[
    str,
    Meta(
        description="for clients that cannot send headers; beside a key in a header it must be the same one",
        extra_json_schema={"format": "bespeak-key"},
    ),
]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=NO_NUL)]
Word = Annotated[str, Meta(min_length=1, max_length=25, pattern=NO_NUL)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217")]
Minor = Annotated[int, Meta(ge=0, le=MAX_EXACT, description="integer minor units: 1999 is 19.99 EUR")]
Millis = Annotated[
    int, Meta(ge=631_152_000_000, le=10**13, description="milliseconds since 1970 UTC; an end never before its begin")
]
DateTime = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Price = Annotated[float, Meta(ge=0, le=1e12)] | Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,4})?$")]
Number = Annotated[float, Meta(ge=-1e300, le=1e300)]
Plain = Text | Annotated[float, Meta(ge=-MAX_EXACT, le=MAX_EXACT)] | bool | None
Attribute = Text | Number | bool | Annotated[list[Text], Meta(max_length=200)] | None
Attributes = Annotated[dict[Name, Attribute], Meta(max_length=200, description="text, number, boolean, list of text")]


class MarketShape(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What holds for an item in one market: price, availability and licence window (closed-open)."""

    price: Minor | None = None
    currency: Currency = "EUR"
    available: bool = True
    from_ms: Millis | None = None
    until_ms: Millis | None = None


class CreativeShape(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One artwork or wording that an item can be shown with."""

    id: Id
    image_url: Text = ""
    title: Text = ""
    attributes: dict[Name, Plain] = {}


Markets = Annotated[dict[Name, MarketShape], Meta(max_length=300)]
Texts = Annotated[dict[Word, dict[Word, LongText]], Meta(max_length=200)]
Creatives = Annotated[list[CreativeShape], Meta(max_length=100)]


class ItemShape(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A whole item. What is particular to a kind of item stands under `attributes`.

    `price` (major units, of `currency`) and `available` are shorthands for the market `default`.
    """

    id: Id | NumberId
    kind: Word | None = None
    group: Annotated[str, Meta(max_length=255, pattern=ID_TEXT)] | None = None
    title: Text | None = None
    description: LongText | None = None
    url: Text | None = None
    image_url: Text | None = None
    attributes: Attributes | None = None
    markets: Markets | None = None
    texts: Texts | None = None
    creatives: Creatives | None = None
    published_at: Millis | DateTime | None = None
    expires_at: Millis | DateTime | None = None
    price: (
        Annotated[float, Meta(ge=0, le=1e12)] | Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,4})?$")] | None
    ) = None
    currency: Currency | None = None
    available: bool | None = None


class PatchShape(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Changes of one item, a JSON merge patch: null removes, objects merge, everything else replaces."""

    kind: Word | None = None
    group: Annotated[str, Meta(max_length=255, pattern=ID_TEXT)] | None = None
    title: Text | None = None
    description: LongText | None = None
    url: Text | None = None
    image_url: Text | None = None
    attributes: Attributes | None = None
    markets: Annotated[dict[Name, MarketShape | None], Meta(max_length=300)] | None = None
    texts: Texts | None = None
    creatives: Creatives | None = None
    published_at: Millis | None = None
    expires_at: Millis | None = None


class EventShape(msgspec.Struct, kw_only=True, rename="camel"):
    """One event as clients of the Segment family send it; other fields are allowed and not kept.

    It names a person by `userId` or `anonymousId`. An event that cannot be used is counted as rejected, with a reason
    that `bespeak rejects list` shows; its neighbours are taken in.
    """

    type: Literal["identify", "track", "page", "screen", "group", "alias"]
    event: Annotated[str, Meta(max_length=255, description="name of a track")] | None = None
    name: Annotated[str, Meta(max_length=255, description="name of a page or screen")] | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    previous_id: str | int | None = None
    group_id: str | int | None = None
    message_id: Annotated[str, Meta(description="repeated on a retry; events with equal ids count once")] | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    timestamp: DateTime | None = None
