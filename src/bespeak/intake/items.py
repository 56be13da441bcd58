"""Item records: the JSON of the HTTP API and of imports <-> `Item`. Strict: what is not understood is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bespeak.errors import EventRejected, InvalidInput
from bespeak.intake.times import parse_time_ms
from bespeak.signals.ids import clean_id
from bespeak.signals.items import AttributeValue, Creative, Item, Market
from bespeak.signals.money import minor_units, number

MAX_ATTRIBUTES = 200
MAX_LIST_VALUES = 200
MAX_TEXT_CHARS = 20_000
DEFAULT_MARKET = "default"

_TEXTS = {"kind": "kind", "group": "group", "title": "title", "description": "description"}
_TEXTS |= {"url": "url", "imageUrl": "image_url"}
_TIMES = {"publishedAt": "published_at", "expiresAt": "expires_at", "firstSeenAt": "first_seen_at"}
_SHORTHANDS = ("price", "priceMinor", "currency", "available")
FIELDS = ("id", *_TEXTS, "attributes", "markets", "texts", "creatives", *_TIMES, "stub", *_SHORTHANDS)


def item_from_json(raw: Any, *, default_currency: str = "") -> Item:
    """Returns the item that a JSON object describes.

    Beside the fields of `Item` there are shorthands for the default market: `price` (major units, a number or decimal
    text), `priceMinor` (integer minor units), `currency` and `available`. Times are ISO 8601 or numbers since 1970.

    Raises:
        InvalidInput: names the field and what is allowed; code `invalid_item`.

    Example:
        >>> item = item_from_json({"id": 7, "title": "Lamp", "price": "19.99", "currency": "EUR"})
        >>> item.id, item.markets["default"].price
        ('7', 1999)
    """
    if not isinstance(raw, Mapping):
        raise _invalid("an item must be an object.")
    for name in raw:
        if name not in FIELDS:
            raise _invalid(
                f"an item has no field '{str(name)[:40]}'.",
                hint=f"Fields: {', '.join(FIELDS)}. Put anything else under attributes.",
            )
    fields: dict[str, Any] = {"id": _id(raw.get("id"))}
    for name, ours in _TEXTS.items():
        value = raw.get(name)
        if value is not None:
            fields[ours] = _text(value, name)
    for name, ours in _TIMES.items():
        value = raw.get(name)
        if value is not None and value != "":
            fields[ours] = _time(value, name)
    if raw.get("attributes") is not None:
        fields["attributes"] = attributes_from_json(raw["attributes"])
    if raw.get("texts") is not None:
        fields["texts"] = _convert(raw["texts"], dict[str, dict[str, str]], "texts")
    if raw.get("creatives") is not None:
        fields["creatives"] = _convert(raw["creatives"], list[Creative], "creatives")
    if raw.get("stub") is not None:
        fields["is_stub"] = _convert(raw["stub"], bool, "stub")
    markets = _markets(raw, default_currency)
    if markets:
        fields["markets"] = markets
    return Item(**fields)


def item_to_json(item: Item) -> dict[str, Any]:
    """Returns the JSON object of an item; `item_from_json` reads it back."""
    found: dict[str, Any] = msgspec.to_builtins(item)
    return found


def attributes_from_json(raw: Any) -> dict[str, AttributeValue]:
    """Returns checked attributes: text, number, boolean or a list of text; nulls are left out.

    Raises:
        InvalidInput: an attribute of another shape, or too many; code `invalid_item`.
    """
    if not isinstance(raw, Mapping):
        raise _invalid("attributes must be an object.")
    if len(raw) > MAX_ATTRIBUTES:
        raise _invalid(f"attributes: {len(raw)} keys; at most {MAX_ATTRIBUTES} are allowed.")
    found: dict[str, AttributeValue] = {}
    for name, value in raw.items():
        if value is not None:
            found[str(name)] = _attribute(str(name), value)
    return found


def _attribute(name: str, value: Any) -> AttributeValue:
    if isinstance(value, str):
        return _text(value, f"attributes.{name}")
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        as_number = number(value)
        if as_number is None:
            raise _invalid(f"attributes.{name} must be a finite number.")
        return as_number
    if isinstance(value, list | tuple):
        if len(value) > MAX_LIST_VALUES:
            raise _invalid(f"attributes.{name}: {len(value)} values; at most {MAX_LIST_VALUES} are allowed.")
        return [_list_value(part, name) for part in value if part is not None]
    raise _invalid(f"attributes.{name} must be text, a number, a boolean or a list of text.")


def _list_value(part: Any, name: str) -> str:
    if isinstance(part, str):
        return _text(part, f"attributes.{name}")
    if isinstance(part, int | float) and not isinstance(part, bool):
        if number(part) is None:
            raise _invalid(f"attributes.{name} must hold finite numbers.")
        return str(part)
    raise _invalid(f"attributes.{name} must be a list of text.")


def _markets(raw: Mapping[str, Any], default_currency: str) -> dict[str, Market]:
    markets: dict[str, Market] = {}
    if raw.get("markets") is not None:
        markets = _convert(raw["markets"], dict[str, Market], "markets")
    price, minor, available = raw.get("price"), raw.get("priceMinor"), raw.get("available")
    if price is None and minor is None and available is None:
        return markets
    if price is not None and minor is not None:
        raise _invalid("give price (major units) or priceMinor (minor units), not both.")
    currency = _text(raw.get("currency") or default_currency, "currency").upper()
    value: int | None = None
    if minor is not None:
        value = _convert(minor, int, "priceMinor")
    elif price is not None:
        amount = number(price)
        if amount is None:
            raise _invalid("price must be a number or its decimal text.", hint="For example 19.99.")
        value = minor_units(amount, currency)
    if value is not None and value < 0:
        raise _invalid("a price must not be negative.")
    is_available = True if available is None else _convert(available, bool, "available")
    return {**markets, DEFAULT_MARKET: Market(price=value, currency=currency, is_available=is_available)}


def _id(value: Any) -> str:
    try:
        found = clean_id(value, "id")
    except EventRejected as error:
        raise _invalid(error.message) from None
    if not found:
        raise _invalid("an item needs an id.", hint="Text or a number, at most 255 bytes.")
    return found


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise _invalid(f"{field} must be text, not {type(value).__name__}.")
    if len(value) > MAX_TEXT_CHARS:
        raise _invalid(f"{field} is longer than {MAX_TEXT_CHARS} characters.")
    if "\x00" in value:
        raise _invalid(f"{field} holds a NUL character.")
    return value


def _time(value: Any, field: str) -> int:
    try:
        return parse_time_ms(value)
    except EventRejected as error:
        raise _invalid(f"{field}: {error.message}", hint=error.hint) from None


def _convert(value: Any, kind: Any, field: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _invalid(f"{field}: {error}.") from None


def _invalid(message: str, *, hint: str = "") -> InvalidInput:
    return InvalidInput(message, hint=hint, code="invalid_item")
