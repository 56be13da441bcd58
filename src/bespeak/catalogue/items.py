"""One item: what is allowed in it, how a patch merges into it, how it leaves as JSON. Pure functions of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bespeak.errors import EventRejected, InvalidInput, UnknownName
from bespeak.signals.ids import clean_id
from bespeak.signals.items import Item, Market

MAX_ATTRIBUTES = 200
MAX_ATTRIBUTE_NAME = 100
MAX_LIST_VALUES = 200
MAX_TEXT_BYTES = 8_192
MAX_DESCRIPTION_BYTES = 65_536
MAX_MARKETS = 300
MAX_LOCALES = 200
MAX_CREATIVES = 100
MAX_WHOLE = 2**63 - 1

_FIELDS = tuple(field.encode_name for field in msgspec.structs.fields(Item))
_MARKET_FIELDS = tuple(field.encode_name for field in msgspec.structs.fields(Market))


def checked(item: Item) -> Item:
    """Returns the item with a cleaned id; of creatives with one id the last holds, as of an item that is sent twice.

    Raises:
        InvalidInput: an id that is missing or too long, too many attributes, a text that is too large, a window that
            ends before it begins. The message names the field, never the value.
    """
    try:
        item_id, group = clean_id(item.id, "id"), clean_id(item.group, "group")
    except EventRejected as error:
        raise InvalidInput(error.message, code="invalid_item") from None
    if not item_id:
        raise _refused("An item has no id.", "Give every item an `id`: text, or a number, which becomes text.")
    _check_text("kind", item.kind, MAX_ATTRIBUTE_NAME)
    if not item.kind:
        raise _refused("`kind` is empty.", "Leave it out, or give product, article, video, banner, offer, action, …")
    for name in ("title", "url", "image_url"):
        _check_text(name, getattr(item, name), MAX_TEXT_BYTES)
    _check_text("description", item.description, MAX_DESCRIPTION_BYTES)
    _check_size("attributes", len(item.attributes), MAX_ATTRIBUTES)
    _check_size("markets", len(item.markets), MAX_MARKETS)
    _check_size("texts", len(item.texts), MAX_LOCALES)
    _check_size("creatives", len(item.creatives), MAX_CREATIVES)
    for name, value in item.attributes.items():
        _check_attribute(name, value)
    for name, market in item.markets.items():
        _check_market(name, market)
    for locale, texts in item.texts.items():
        for name, text in texts.items():
            _check_text(f"texts.{locale}.{name}", text, MAX_DESCRIPTION_BYTES)
    _check_window("publishedAt", item.published_at, "expiresAt", item.expires_at)
    _check_numbers("publishedAt", item.published_at)
    _check_numbers("expiresAt", item.expires_at)
    for creative in item.creatives:
        _check_numbers("creatives.attributes", creative.attributes)
    if any(not creative.id for creative in item.creatives):
        raise _refused("`creatives` holds one without an id.", "Give each creative its own id.")
    creatives = list({creative.id: creative for creative in item.creatives}.values())
    if item_id == item.id and group == item.group and len(creatives) == len(item.creatives):
        return item
    return msgspec.structs.replace(item, id=item_id, group=group, creatives=creatives)


def patched(item: Item, patch: Mapping[str, Any]) -> Item:
    """Returns the item with a JSON merge patch (RFC 7396) applied: null removes, objects merge, all else replaces.

    Args:
        patch: JSON names. `id` may be repeated but not changed.

    Raises:
        UnknownName: a key that items do not have (what is particular to a kind belongs into `attributes`).
        InvalidInput: a value of the wrong type, or what `checked` refuses.

    Example:
        >>> lamp = Item(id="p1", title="Lamp", attributes={"colour": "red", "watts": 9.0})
        >>> patched(lamp, {"title": "Desk lamp", "attributes": {"watts": None, "tags": ["new"]}}).attributes
        {'colour': 'red', 'tags': ['new']}
    """
    for name in patch:
        if name not in _FIELDS:
            raise UnknownName("item field", name, _FIELDS)
    if patch.get("id", item.id) != item.id:
        raise _refused("A patch cannot change an item's id.", "Put a new item and delete the old one.")
    market = patch.get("markets")
    for entry in market.values() if isinstance(market, Mapping) else ():
        for name in entry if isinstance(entry, Mapping) else ():
            if name not in _MARKET_FIELDS:
                raise UnknownName("market field", name, _MARKET_FIELDS)
    plain = msgspec.to_builtins(item)
    try:
        merged = msgspec.convert(_merged(plain, patch), Item)
    except msgspec.ValidationError as error:
        raise _refused(f"The patch does not fit an item: {error}.", "See the item format in the reference.") from None
    return checked(merged)


def completed(written: Item, held: Item | None) -> Item:
    """Returns what to store when an import or an API write meets what is held: the written item, whole.

    A stub ends here; the moment the item was first seen stays, since freshness counts from it.

    Example:
        >>> completed(Item(id="p1", title="Lamp"), Item(id="p1", is_stub=True, first_seen_at=7)).first_seen_at
        7
    """
    first_seen_at = held.first_seen_at if held is not None and held.first_seen_at is not None else written.first_seen_at
    if first_seen_at == written.first_seen_at and not written.is_stub:
        return written
    return msgspec.structs.replace(written, is_stub=False, first_seen_at=first_seen_at)


def item_json(item: Item) -> dict[str, Any]:
    """Returns the item as plain values under its JSON names; what has its default is left out.

    Example:
        >>> item_json(Item(id="p1", image_url="/a.svg"))
        {'id': 'p1', 'imageUrl': '/a.svg'}
    """
    plain: dict[str, Any] = msgspec.to_builtins(item)
    return plain


def _merged(held: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    result = dict(held) if isinstance(held, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _check_attribute(name: str, value: str | float | bool | list[str]) -> None:
    if not name or len(name) > MAX_ATTRIBUTE_NAME:
        raise _refused(
            f"An attribute's name has {len(name)} characters.", f"Between 1 and {MAX_ATTRIBUTE_NAME} are allowed."
        )
    if isinstance(value, list):
        _check_size(f"attributes.{name}", len(value), MAX_LIST_VALUES)
        for entry in value:
            _check_text(f"attributes.{name}", entry, MAX_TEXT_BYTES)
    elif isinstance(value, str):
        _check_text(f"attributes.{name}", value, MAX_TEXT_BYTES)
    elif isinstance(value, float) and value - value != 0:  # NaN and infinities alone differ from themselves here
        raise _refused(f"`attributes.{name}` is not a finite number.", "Leave the attribute out.")


def _check_market(name: str, market: Market) -> None:
    if market.price is not None and market.price < 0:
        raise _refused(f"`markets.{name}.price` is negative.", "Give minor units (1999 for 19.99), or leave it out.")
    _check_text(f"markets.{name}.currency", market.currency, 16)
    _check_numbers(f"markets.{name}", [market.price, market.from_ms, market.until_ms])
    _check_window(f"markets.{name}.fromMs", market.from_ms, f"markets.{name}.untilMs", market.until_ms)


def _check_numbers(name: str, value: Any) -> None:
    """No store keeps whole numbers of more than 64 bits, and JSON none that is not finite."""
    if isinstance(value, int) and not -MAX_WHOLE <= value <= MAX_WHOLE:
        raise _refused(f"`{name}` holds a number of more than 64 bits.", "Send it as text.")
    if isinstance(value, float) and value - value != 0:
        raise _refused(f"`{name}` holds a number that is not finite.", "Leave it out.")
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check_numbers(name, part)


def _check_window(first: str, start: int | None, second: str, end: int | None) -> None:
    if start is not None and end is not None and end < start:
        raise _refused(f"`{second}` lies before `{first}`.", "Times are milliseconds since 1970 UTC.")


def _check_size(name: str, n: int, limit: int) -> None:
    if n > limit:
        raise _refused(f"`{name}` has {n} entries.", f"At most {limit} are allowed.")


def _check_text(name: str, text: str, limit: int) -> None:
    try:
        n_bytes = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise _refused(f"`{name}` holds characters that are not valid Unicode.", "Send UTF-8.") from None
    if n_bytes > limit:
        raise _refused(f"`{name}` is {n_bytes} bytes long.", f"At most {limit} are allowed.")
    if "\x00" in text:
        raise _refused(f"`{name}` holds a NUL character.", "Leave it out.")


def _refused(message: str, hint: str) -> InvalidInput:
    return InvalidInput(message, hint=hint, code="invalid_item")
