"""Rows -> events, items, users. One builder per set of columns; the loop is tight because imports are large."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from bespeak.errors import EventRejected, InvalidInput
from bespeak.intake.cells import ABSENT, CellReader, Cells, RowShape, as_flag, as_id, raw_row
from bespeak.intake.columns import ColumnMapping
from bespeak.intake.content import content_id
from bespeak.intake.dates import needs_order
from bespeak.intake.items import item_from_json
from bespeak.intake.rows import BadLine
from bespeak.intake.times import canonical_ms, parse_time_ms
from bespeak.signals.events import MAX_PROPERTIES, Event
from bespeak.signals.ids import is_blocked
from bespeak.signals.items import Item
from bespeak.signals.money import number
from bespeak.signals.paths import MAX_ELEMENTS

# Our field -> property of the event; the catalogue reads these names.
_PROPERTIES = {
    "item": "product_id",
    "rating": "rating",
    "quantity": "quantity",
    "price": "price",
    "currency": "currency",
    "revenue": "revenue",
    "order": "order_id",
    "query": "query",
    "title": "name",
    "category": "category",
    "brand": "brand",
    "genre": "genre",
    "position": "position",
    "decision": "decisionId",
}
_NUMBERS = frozenset(("rating", "quantity", "price", "revenue", "position"))
_ORDER_WIDE = ("order_id", "currency")
_NOT_PROPERTIES = frozenset(("user", "anonymous", "profile", "event", "timestamp", "message_id"))


class Built(msgspec.Struct, frozen=True):
    """Records of one block, the line each began at, and the lines that gave none."""

    records: list[Event] | list[Item]
    line_numbers: list[int]
    bad: list[BadLine]


class EventBuilder:
    """Builds one event a row; rows of one order that follow each other become one event with `products`.

    A row without a message id gets a hash of its content: the same file twice adds nothing, and two equal rows are one
    event. Unmapped columns become properties under their own names.
    """

    def __init__(self, columns: tuple[str, ...], shape: RowShape) -> None:
        found = CellReader(columns, shape)
        self._shape = shape
        self._fields = _common_fields(found)
        self._event = found.place("event")
        self._default = found.constant("event") or shape.words.get(_default_word(shape.mapping), "")
        self._mapped = found.mapped(_PROPERTIES, _NUMBERS)
        self._properties = self._mapped + found.rest
        if len(self._properties) > MAX_PROPERTIES:
            raise InvalidInput(
                f"the file has {len(columns)} columns; at most {MAX_PROPERTIES} can become properties of an event.",
                hint="Import a copy without the columns that say nothing about what was done.",
            )
        self._constants = {
            _PROPERTIES[field]: (number(value) if field in _NUMBERS else value)
            for field, value in shape.mapping.constants.items()
            if field in _PROPERTIES
        }
        if found.place("price") >= 0 and found.place("currency") < 0 and shape.default_currency:
            self._constants.setdefault("currency", shape.default_currency)
        self._has_orders = found.place("order") >= 0
        self._order, self._refund = shape.words.get("order", ""), shape.words.get("refund", "")
        self._open: list[tuple[Event, int]] = []

    def build(self, rows: Sequence[Cells], line_numbers: Sequence[int]) -> Built:
        """Returns the events of a block; with orders, the last order stays open until `finish` or the next block."""
        events: list[Event] = []
        lines: list[int] = []
        bad: list[BadLine] = []
        words, default, event_place = self._shape.words, self._default, self._event
        properties_read, constants = self._properties, self._constants
        for row, line in zip(rows, line_numbers, strict=True):
            try:
                properties = dict(constants)
                for name, place, convert in properties_read:
                    value = row[place]
                    if value is not None and value != "":
                        value = convert(value)
                        if value is not None:
                            properties[name] = value
                event_name = default
                if event_place >= 0 and row[event_place]:
                    event_name = str(row[event_place])
                    event_name = words.get(event_name.lower(), event_name)
                if event_name == self._order and _came_back(properties):
                    event_name, properties = self._refund, _without_minus(properties)
                event = _make_event(self._shape, self._fields, row, event_name, properties)
            except EventRejected as error:
                bad.append(BadLine(line, error.code, error.message, raw_row(row)))
                continue
            if self._has_orders and "order_id" in properties:
                self._take(event, line, events, lines)
            else:
                events.append(event)
                lines.append(line)
        return Built(events, lines, bad)

    def finish(self) -> Built:
        """Returns the order that was still open, if any."""
        events: list[Event] = []
        lines: list[int] = []
        self._close(events, lines)
        return Built(events, lines, [])

    @property
    def open_line(self) -> int:
        """The first line of the order that is still open, or 0."""
        return self._open[0][1] if self._open else 0

    def _take(self, event: Event, line: int, events: list[Event], lines: list[int]) -> None:
        if self._open:
            last = self._open[-1][0]
            if _order_key(last) != _order_key(event) or len(self._open) >= MAX_ELEMENTS:
                self._close(events, lines)
        self._open.append((event, line))

    def _close(self, events: list[Event], lines: list[int]) -> None:
        if not self._open:
            return
        rows, self._open = self._open, []
        first, line = rows[0]
        events.append(first if len(rows) == 1 else _one_order([event for event, _ in rows]))
        lines.append(line)


class UserBuilder:
    """Builds one identify event a row; every other column is a trait."""

    def __init__(self, columns: tuple[str, ...], shape: RowShape) -> None:
        found = CellReader(columns, shape)
        self._shape = shape
        self._fields = _common_fields(found)
        names = {field: field for field in shape.mapping.columns if field not in _NOT_PROPERTIES}
        self._traits = found.mapped(names, ("age", "income")) + found.rest
        self._constants = {key: value for key, value in shape.mapping.constants.items() if key not in _NOT_PROPERTIES}

    def build(self, rows: Sequence[Cells], line_numbers: Sequence[int]) -> Built:
        """Returns the identify events of a block."""
        events: list[Event] = []
        lines: list[int] = []
        bad: list[BadLine] = []
        for row, line in zip(rows, line_numbers, strict=True):
            try:
                traits: dict[str, Any] = dict(self._constants)
                for name, place, convert in self._traits:
                    if row[place] is not None and row[place] != "":
                        value = convert(row[place])
                        if value is not None:
                            traits[name] = value
                events.append(_make_event(self._shape, self._fields, row, None, traits))
                lines.append(line)
            except EventRejected as error:
                bad.append(BadLine(line, error.code, error.message, raw_row(row)))
        return Built(events, lines, bad)

    @property
    def open_line(self) -> int:
        """0: rows do not depend on each other."""
        return 0

    def finish(self) -> Built:
        """Returns nothing: rows do not depend on each other."""
        return Built([], [], [])


class ItemBuilder:
    """Builds one item a row; every column that is no field of an item is an attribute."""

    _FIELDS: Mapping[str, str] = {
        "kind": "kind",
        "group": "group",
        "title": "title",
        "description": "description",
        "url": "url",
        "image_url": "imageUrl",
        "currency": "currency",
        "published_at": "publishedAt",
        "expires_at": "expiresAt",
    }
    _NESTED = ("attributes", "markets", "texts", "creatives")
    """Columns whose JSON objects and lists are parts of an item as `PUT /api/items` takes them."""

    _ATTRIBUTES: Mapping[str, str] = {name: name for name in ("category", "brand", "genre", "tags")}

    def __init__(self, columns: tuple[str, ...], shape: RowShape) -> None:
        found = CellReader(columns, shape)
        self._shape = shape
        self._id = found.place("id")
        self._price, self._read_price = found.place("price"), found.reader("price")
        self._available = found.place("available")
        self._fields = [(name, found.place(field)) for field, name in self._FIELDS.items() if found.place(field) >= 0]
        self._attributes = found.mapped(self._ATTRIBUTES, ()) + found.rest
        self._nested = [(name, columns.index(name)) for name in self._NESTED if name in columns]
        constants = shape.mapping.constants
        self._constants = {self._FIELDS[f]: value for f, value in constants.items() if f in self._FIELDS}
        self._constant_attributes = {f: value for f, value in constants.items() if f in self._ATTRIBUTES}

    def build(self, rows: Sequence[Cells], line_numbers: Sequence[int]) -> Built:
        """Returns the items of a block."""
        items: list[Item] = []
        lines: list[int] = []
        bad: list[BadLine] = []
        for row, line in zip(rows, line_numbers, strict=True):
            try:
                items.append(item_from_json(self._json(row), default_currency=self._shape.default_currency))
                lines.append(line)
            except InvalidInput as error:
                bad.append(BadLine(line, error.code, error.message, raw_row(row)))
        return Built(items, lines, bad)

    @property
    def open_line(self) -> int:
        """0: rows do not depend on each other."""
        return 0

    def finish(self) -> Built:
        """Returns nothing: rows do not depend on each other."""
        return Built([], [], [])

    def _json(self, row: Cells) -> dict[str, Any]:
        record: dict[str, Any] = {**self._constants, "id": row[self._id] if self._id >= 0 else None}
        for name, place in self._fields:
            value = row[place]
            if value is not None and value != "":
                record[name] = self._time(value) if name.endswith("At") else str(value)
        if self._price >= 0 and row[self._price] is not None and row[self._price] not in ABSENT:
            record["price"] = self._read_price(row[self._price])
        if self._available >= 0 and row[self._available] is not None and row[self._available] != "":
            record["available"] = as_flag(row[self._available])
        attributes: dict[str, Any] = dict(self._constant_attributes)
        for name, place, convert in self._attributes:
            value = row[place]
            if value is not None and value != "":
                value = convert(value)
                if value is not None:
                    attributes[name] = value
        for name, place in self._nested:
            if isinstance(row[place], dict | list):
                attributes.pop(name, None)
                record[name] = row[place]
        given = record.get("attributes")
        record["attributes"] = {**given, **attributes} if isinstance(given, dict) else given or attributes
        return record

    def _time(self, value: Any) -> Any:
        """Returns a written date in the order of the file as milliseconds; anything else goes on as it is."""
        return parse_time_ms(value, self._shape.date_order) if needs_order(value) else value


Builder = EventBuilder | UserBuilder | ItemBuilder
BUILDERS: dict[str, type[Builder]] = {"events": EventBuilder, "users": UserBuilder, "items": ItemBuilder}


class _Common(msgspec.Struct, frozen=True):
    user: int
    anonymous: int
    profile: int
    timestamp: int
    message_id: int
    constant_user: str
    constant_anonymous: str
    constant_time: str


def _common_fields(found: CellReader) -> _Common:
    return _Common(
        user=found.place("user"),
        anonymous=found.place("anonymous"),
        profile=found.place("profile"),
        timestamp=found.place("timestamp"),
        message_id=found.place("message_id"),
        constant_user=found.constant("user"),
        constant_anonymous=found.constant("anonymous"),
        constant_time=found.constant("timestamp"),
    )


def _make_event(shape: RowShape, fields: _Common, row: Cells, name: str | None, values: dict[str, Any]) -> Event:
    """Returns one event; `name` None makes an identify with `values` as traits."""
    user = as_id(row[fields.user], "user") if fields.user >= 0 else fields.constant_user
    anonymous = as_id(row[fields.anonymous], "anonymous") if fields.anonymous >= 0 else fields.constant_anonymous
    if not user and not anonymous:
        raise EventRejected("the row names no user.", code="missing_id")
    if (not user or _names_nobody(user)) and (not anonymous or _names_nobody(anonymous)):
        raise EventRejected("the user is a word for nobody (null, 0, anonymous, …).", code="missing_id")
    profile = as_id(row[fields.profile], "profile") if fields.profile >= 0 else ""
    when: Any = row[fields.timestamp] if fields.timestamp >= 0 else fields.constant_time
    original_ms = None if when is None or when == "" else parse_time_ms(when, shape.date_order)
    message_id = as_id(row[fields.message_id], "message_id") if fields.message_id >= 0 else ""
    source, received_ms = shape.source.name, shape.received_ms
    time_ms = canonical_ms(original_ms, None, received_ms)
    message_id = message_id or content_id(source, name, user, anonymous, profile, values, original_ms)
    is_identify = name is None
    return Event(
        message_id=message_id,
        type="identify" if is_identify else "track",
        time_ms=time_ms,
        received_ms=received_ms,
        name=name or "",
        user_id=user,
        anonymous_id=anonymous,
        profile_id=profile,
        properties={} if is_identify else values,
        traits=values if is_identify else {},
        source=source,
        is_vouched=shape.source.kind != "browser",
        original_ms=original_ms,
    )


def _came_back(properties: Mapping[str, Any]) -> bool:
    quantity = properties.get("quantity")
    return isinstance(quantity, float) and quantity < 0


def _without_minus(properties: Mapping[str, Any]) -> dict[str, Any]:
    amounts = {name: abs(value) for name in ("quantity", "revenue") if isinstance(value := properties.get(name), float)}
    return {**properties, **amounts}


@lru_cache(maxsize=4096)
def _names_nobody(value: str) -> bool:
    return is_blocked(value)


def _one_order(rows: list[Event]) -> Event:
    first = rows[0]
    properties: dict[str, Any] = {name: first.properties[name] for name in _ORDER_WIDE if name in first.properties}
    revenues = [row.properties.get("revenue") for row in rows]
    if all(type(revenue) is float for revenue in revenues):
        properties["revenue"] = math.fsum(revenue for revenue in revenues if revenue is not None)
    left_out = (*_ORDER_WIDE, "revenue")
    properties["products"] = [
        {name: value for name, value in row.properties.items() if name not in left_out} for row in rows
    ]
    message_id = content_id(first.source, "order", [row.message_id for row in rows])
    return msgspec.structs.replace(first, message_id=message_id, properties=properties)


def _order_key(event: Event) -> tuple[str, str, str, Any]:
    return event.name, event.user_id, event.anonymous_id, event.properties.get("order_id")


def _default_word(mapping: ColumnMapping) -> str:
    """Returns the word for rows that name no event: a rating, an order, else a view."""
    known = {*mapping.columns, *mapping.constants}
    if "rating" in known:
        return "rating"
    if "order" in known or "revenue" in known or {"quantity", "price"} <= known:
        return "order"
    return "search" if "query" in known and "item" not in known else "view"
