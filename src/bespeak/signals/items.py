"""Items: something that can be shown.

JSON names (HTTP API, imports, exports) are camelCase, Python names snake_case.
"""

from __future__ import annotations

from typing import Any

import msgspec

AttributeValue = str | float | bool | list[str]


class Market(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What holds for an item in one market.

    Attributes:
        price: integer minor units of `currency` (1999 = 19.99 EUR), or None when unknown.
        is_available: in stock or playable.
        from_ms, until_ms: licence window, closed-open; None is unbounded.
    """

    price: int | None = None
    currency: str = ""
    is_available: bool = msgspec.field(default=True, name="available")
    from_ms: int | None = None
    until_ms: int | None = None


class Creative(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One artwork or wording that the item can be shown with."""

    id: str
    image_url: str = ""
    title: str = ""
    attributes: dict[str, Any] = {}


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One item of the catalogue.

    Attributes:
        kind: product, article, video, banner, offer, action, …
        group: variants of one product, seasons of one series; a slate shows one item per group. "" means its own id.
        attributes: arbitrary: text, number, boolean or list of text. Declared facets are read from here.
        markets: per market price, availability and licence window; `default` serves every other market.
        texts: locale -> {"title": …, "description": …}.
        is_stub: known only from events; an import or an API write completes it.
    """

    id: str
    kind: str = "product"
    group: str = ""
    title: str = ""
    description: str = ""
    url: str = ""
    image_url: str = ""
    attributes: dict[str, AttributeValue] = {}
    markets: dict[str, Market] = {}
    texts: dict[str, dict[str, str]] = {}
    creatives: list[Creative] = []
    published_at: int | None = None
    expires_at: int | None = None
    is_stub: bool = msgspec.field(default=False, name="stub")
    first_seen_at: int | None = None
