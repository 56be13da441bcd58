"""Guessing what a file's columns mean, by their usual names first and by their values where the name says nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from bespeak.errors import EventRejected
from bespeak.intake.columns import ColumnMapping, What
from bespeak.intake.dates import DateOrder, guess_order
from bespeak.intake.numbers import NumberStyle, guess_style, read_number
from bespeak.intake.times import EARLIEST_MS, parse_time_ms
from bespeak.signals.money import number

# Our field -> usual column names, the surest first; compared without case, spaces, dashes and underscores.
_USER = "user userid customer customerid client clientid member memberid visitor visitorid buyer buyerid reviewer"
_USER += " reviewerid person personid account accountid uid player playerid owner"
_ANONYMOUS = "anonymousid anonymous deviceid device cookieid cookie session sessionid"
_ITEM = "item itemid product productid sku movie movieid film video videoid article articleid book bookid song songid"
_ITEM += " track trackid asin isbn content contentid asset assetid game gameid iid pid listing listingid stockcode"
_TIME = "timestamp ts time datetime date eventtime eventtimestamp createdat occurredat purchasedate orderdate"
_TIME += " invoicedate unixreviewtime reviewtime checkintime unixtime"
_TITLE = "title name itemname productname movietitle"
_NAMES: dict[str, dict[str, str]] = {
    "events": {
        "user": _USER,
        "anonymous": _ANONYMOUS,
        "item": _ITEM + " id",
        "event": "event eventname eventtype action behavior behaviour behaviortype interaction interactiontype type",
        "timestamp": _TIME,
        "rating": "rating ratings stars score overall",
        "order": "order orderid transactionid invoice invoiceno invoiceid basket basketid",
        "quantity": "quantity qty amount count units",
        "price": "price unitprice itemprice",
        "revenue": "revenue total sales dollars spend salesamount",
        "currency": "currency currencycode",
        "category": "category categoryid categorycode department",
        "brand": "brand manufacturer",
        "query": "query search searchquery searchterm",
        "decision": "decisionid decision",
        "position": "position rank",
        "message_id": "messageid eventid",
        "profile": "profileid",
    },
    "items": {
        "id": "id " + _ITEM,
        "title": _TITLE,
        "description": "description desc summary overview abstract plot",
        "kind": "kind type itemtype",
        "group": "group groupid parent parentid series seriesid itemgroupid variantof",
        "price": "price unitprice",
        "currency": "currency currencycode",
        "available": "available availability instock isavailable",
        "url": "url link producturl",
        "image_url": "imageurl image imagelink picture poster posterurl thumbnail",
        "published_at": "publishedat published publishdate publicationdate releasedate released createdat",
        "expires_at": "expiresat expires expirationdate validuntil",
        "category": "category categories producttype department",
        "brand": "brand manufacturer maker",
        "tags": "tags keywords labels",
    },
    "users": {
        "user": _USER + " id",
        "anonymous": _ANONYMOUS,
        "timestamp": _TIME + " signupdate",
        "email": "email emailaddress mail",
        "name": "name fullname",
        "age": "age",
        "birthday": "birthday birthdate dateofbirth dob",
        "gender": "gender sex",
        "country": "country countrycode",
        "region": "region state province",
        "city": "city town",
        "postal_code": "postalcode zip zipcode postcode",
        "language": "language locale lang",
        "profession": "profession occupation job jobtitle",
        "education": "education educationlevel",
        "income": "income incomeband salary",
    },
}
_LOOK_UP = {
    what: {field: {name: rank for rank, name in enumerate(names.split())} for field, names in fields.items()}
    for what, fields in _NAMES.items()
}
_REQUIRED = {"events": ("user", "item", "timestamp"), "items": ("id",), "users": ("user",)}
_LIST_SEPARATOR = "|"
_NOISE = re.compile(r"[^a-z0-9]")
_BY_VALUE = 0.7
_FITTING = 0.8
_FITTING_TIMES = 0.5
_TIMES = ("timestamp", "published_at", "expires_at")
_NUMBERS = ("rating", "quantity", "price", "revenue", "position")
_AMOUNTS = ("price", "revenue")


class Guess(msgspec.Struct, frozen=True, kw_only=True):
    """What a file seems to mean.

    Attributes:
        mapping: the columns that were recognised.
        lists: columns whose text holds several values with `|` between them.
        numbers: columns that hold numbers.
        number_styles: those of them that are not written plainly: with a decimal comma, or with grouped thousands.
        date_order: what comes first in dates such as 3/4/2026, where the file's dates show it.
        missing: the fields that such records need and no column was taken for.
        unsure: fields whose column is a guess by its values.
        unread_time: the column that is named like the time and holds none, or "".
        unread_numbers: field -> the column that is named like it and holds no numbers that can be read (`12.50 EUR`).
        confidence: 0 to 1: how sure the fields are that such records need; below 1 somebody should look.
    """

    mapping: ColumnMapping
    lists: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    number_styles: dict[str, NumberStyle] = {}
    date_order: DateOrder | None = None
    missing: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    unread_time: str = ""
    unread_numbers: dict[str, str] = {}
    confidence: float = 0.0


def guess_mapping(columns: Sequence[str], sample_rows: Sequence[Sequence[Any]], what: What) -> Guess:
    """Returns what the columns seem to mean.

    Args:
        columns: names, as the file has them.
        sample_rows: the first rows, in the order of `columns`.
        what: the kind of record the file is to give.

    Example:
        >>> guess = guess_mapping(["userId", "movieId", "ts", "stars"], [["1", "2", "881250949", "4"]], "events")
        >>> guess.mapping.text(), guess.confidence
        ('user=userId,item=movieId,timestamp=ts,rating=stars', 1.0)
    """
    values = {column: [row[i] for row in sample_rows if _is_there(row[i])] for i, column in enumerate(columns)}
    sureness: dict[str, float] = {}
    chosen: dict[str, str] = {}
    plain = {column: _NOISE.sub("", column.lower()) for column in columns}
    styles: dict[str, NumberStyle] = {
        column: style for column in columns if (style := guess_style(values[column])) != "plain"
    }
    unread: dict[str, str] = {}
    for field, names in _LOOK_UP[what].items():
        ranked = sorted((names[plain[c]], i) for i, c in enumerate(columns) if plain[c] in names)
        for _, i in ranked:
            column = columns[i]
            if column in chosen.values():
                continue
            if _fits(field, values[column], styles.get(column, "plain")):
                chosen[field], sureness[field] = column, 1.0
                break
            if field in _AMOUNTS:
                unread.setdefault(field, column)
    if "timestamp" not in chosen and what == "events":
        _by_value(columns, values, chosen, sureness)
    if "user" not in chosen and "anonymous" in chosen:
        sureness["user"] = _BY_VALUE
    needed = _REQUIRED[what]
    named_times = [column for column in columns if plain[column] in _LOOK_UP["events"]["timestamp"]]
    is_timeless = what == "events" and "timestamp" not in chosen
    times = [chosen[field] for field in _TIMES if field in chosen] or named_times
    return Guess(
        mapping=ColumnMapping(columns={field: chosen[field] for field in _LOOK_UP[what] if field in chosen}),
        lists=tuple(column for column in columns if _holds_lists(values[column])),
        numbers=(*number_columns(columns, sample_rows), *styles),
        number_styles=styles,
        date_order=guess_order([value for column in times for value in values[column]]),
        missing=tuple(field for field in needed if field not in sureness),
        unsure=tuple(field for field in needed if 0 < sureness.get(field, 0.0) < 1),
        unread_time=next((c for c in named_times if c not in chosen.values() and values[c]), "") if is_timeless else "",
        unread_numbers={field: column for field, column in unread.items() if field not in chosen},
        confidence=sum(sureness.get(field, 0.0) for field in needed) / len(needed),
    )


def number_columns(columns: Sequence[str], sample_rows: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    """Returns the columns whose text is always a number; codes with leading zeros (007) are not numbers."""
    found = []
    for i, column in enumerate(columns):
        values = [row[i] for row in sample_rows if _is_there(row[i])]
        if values and all(_is_number(value) for value in values):
            found.append(column)
    return tuple(found)


def _by_value(
    columns: Sequence[str], values: dict[str, list[Any]], chosen: dict[str, str], sureness: dict[str, float]
) -> None:
    for column in columns:
        if column not in chosen.values() and values[column] and all(_is_time(value) for value in values[column]):
            chosen["timestamp"], sureness["timestamp"] = column, _BY_VALUE
            return


def _fits(field: str, values: list[Any], style: NumberStyle) -> bool:
    """False where the name fits and the values plainly do not; malformed ones among them are no evidence."""
    if field in _NUMBERS:
        return sum(read_number(value, style) is not None for value in values) >= _FITTING * len(values)
    if field in _TIMES:
        return sum(_reads_as_time(value) for value in values) >= _FITTING_TIMES * len(values)
    return True


def _is_there(value: Any) -> bool:
    return value is not None and value != ""


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        text = value.strip().lstrip("-")
        if len(text) > 1 and text[0] == "0" and text[1].isdigit():
            return False
    return number(value) is not None


def _reads_as_time(value: Any) -> bool:
    """True for a time, also where its day and month can be read in an order that is not known yet."""
    orders: tuple[DateOrder, ...] = ("day-first", "month-first")
    for order in orders:
        try:
            parse_time_ms(value, order)
        except EventRejected:
            continue
        return True
    return False


def _is_time(value: Any) -> bool:
    """True for text that can hardly be anything but a time: ISO 8601, or a plain number of milliseconds."""
    if not _reads_as_time(value):
        return False
    if number(value) is not None:
        return parse_time_ms(value) >= EARLIEST_MS and float(value) > 1e12
    return True


def _holds_lists(values: list[Any]) -> bool:
    texts = [value for value in values if isinstance(value, str)]
    return bool(texts) and 2 * sum(_LIST_SEPARATOR in text for text in texts) > len(values)
