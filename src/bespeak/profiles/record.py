"""The profile as the rule language sees it: columns, functions, and until when each holds without an event.

Columns (NULL where nothing is known or nothing may be read):

    first_seen, last_seen, last_order                       times
    events, sessions_30d, orders, orders_30d, orders_90d,   numbers; windows are UTC days, today included
    refunds, revenue, revenue_30d, revenue_90d, cart_items, <classes>_7d, _30d, _90d such as views_7d
    stage, country, city, language, timezone, device        texts
    consent.<purpose>                                       the recorded word; NULL when nothing was said
    traits.<name>                                           text unless declared otherwise
    segment.<name>                                          true for members
    prediction.<name>                                       numbers, as of today (UTC); NULL of whom nothing is foretold

Functions: `affinity(facet, value)`, `share(facet, value)`, `count(class, days)`, `bought(item)`, `viewed(item, days)`,
`did(class, item, days)`, `trait_number(name)`, `in_segment(name)`. Yes-or-no functions answer 1 or 0.
`count` knows the 400 days before a person's latest event; more days, or none, ask for all of these.

Revenue is in minor units of the currency that most was ordered in. Affinities and shares are read as of the last
midnight UTC (or the latest event, if that is later): so a rule is looked at again once a day, not all the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Literal

from bespeak.profiles.commerce import in_cart
from bespeak.profiles.settings import DAY_MS
from bespeak.profiles.view import ProfileView, window_sum
from bespeak.rules import Argument, CallResult, ColumnType, FunctionSignature, Parameter, Schema, Value

CONSENT = "consent."
TRAITS = "traits."
SEGMENT = "segment."
PREDICTION = "prediction."

_NUMBER, _TEXT, _TIME, _YES_NO = ColumnType.NUMBER, ColumnType.TEXT, ColumnType.TIMESTAMP, ColumnType.BOOLEAN
_WINDOWS = (7, 30, 90)

_COLUMNS: Mapping[str, ColumnType] = {
    "first_seen": _TIME,
    "last_seen": _TIME,
    "last_order": _TIME,
    "events": _NUMBER,
    "sessions_30d": _NUMBER,
    "orders": _NUMBER,
    "orders_30d": _NUMBER,
    "orders_90d": _NUMBER,
    "refunds": _NUMBER,
    "revenue": _NUMBER,
    "revenue_30d": _NUMBER,
    "revenue_90d": _NUMBER,
    "cart_items": _NUMBER,
    "stage": _TEXT,
    "country": _TEXT,
    "city": _TEXT,
    "language": _TEXT,
    "timezone": _TEXT,
    "device": _TEXT,
}

_TYPED = re.compile(
    r"""\b(?P<prefix>traits|context)\.(?P<name>[A-Za-z_]\w*)
    (?: \s*(?:[-+*/]|[<>]=?|=|<>|!=|(?:NOT\s+)?BETWEEN\s|(?:NOT\s+)?IN\s*\() \s* (?P<number>-?\.?\d)
    |   \s*(?:=|<>|!=|IS\s+NOT\s|IS\s) \s* (?P<truth>TRUE|FALSE)\b )?""",
    re.IGNORECASE | re.VERBOSE,
)
_ITEM = Parameter("item", _TEXT)
_DAYS = Parameter("days", _NUMBER, is_optional=True)


def profile_schema(
    classes: Iterable[str],
    *,
    traits: Mapping[str, ColumnType] | None = None,
    purposes: Iterable[str] = (),
    segments: Iterable[str] = (),
    facets: Iterable[str] = (),
    predictions: Iterable[str] = (),
) -> Schema:
    """Returns what a rule over profiles may name.

    Args:
        classes: the project's signal classes.
        traits: name -> type of the traits that may be named.
        purposes: the project's purposes.
        segments: segments that may be named.
        facets: facets that may be named; none given allows any.
        predictions: predictions that may be named.

    Example:
        >>> from bespeak.rules import parse
        >>> schema = profile_schema(["view", "purchase"], purposes=["personalize"])
        >>> parse("orders_90d >= 2 AND affinity('category', 'audio') > 0.3 AND consent.personalize", schema).text[:15]
        'orders_90d >= 2'
    """
    classes, segments = tuple(classes), tuple(segments)
    columns = {**_COLUMNS, **{f"{plural(name)}_{days}d": _NUMBER for name in classes for days in _WINDOWS}}
    columns |= {f"{CONSENT}{purpose}": _YES_NO for purpose in purposes}
    columns |= {f"{TRAITS}{name}": kind for name, kind in (traits or {}).items()}
    columns |= {f"{SEGMENT}{name}": _YES_NO for name in segments}
    columns |= {f"{PREDICTION}{name}": _NUMBER for name in predictions}
    facet = Parameter("facet", _TEXT, allowed=tuple(facets))
    signal_class = Parameter("class", _TEXT, allowed=classes)
    value = Parameter("value", _TEXT)
    functions = {
        "affinity": FunctionSignature((facet, value), is_time_dependent=True),
        "share": FunctionSignature((facet, value), is_time_dependent=True),
        "count": FunctionSignature((signal_class, _DAYS), is_time_dependent=True),
        "bought": FunctionSignature((_ITEM,)),
        "viewed": FunctionSignature((_ITEM, _DAYS), is_time_dependent=True),
        "did": FunctionSignature((signal_class, _ITEM, _DAYS), is_time_dependent=True),
        "trait_number": FunctionSignature((Parameter("name", _TEXT),)),
    }
    if segments:
        functions["in_segment"] = FunctionSignature(
            (Parameter("name", _TEXT, allowed=segments),), is_time_dependent=True
        )
    return Schema(columns, functions)


def traits_in(text: str) -> dict[str, ColumnType]:
    """Returns the traits that a rule names, with the type of the constant that each stands beside: text unless told.

    Example:
        >>> found = traits_in("traits.age >= 18 AND traits.is_member IS TRUE AND traits.plan = 'pro'")
        >>> {name: str(kind) for name, kind in found.items()}
        {'age': 'number', 'is_member': 'boolean', 'plan': 'text'}
    """
    return types_in(text, "traits")


def types_in(text: str, prefix: Literal["traits", "context"]) -> dict[str, ColumnType]:
    """Returns the names behind a prefix that a rule names, with their types as `traits_in`."""
    found: dict[str, ColumnType] = {}
    for match in _TYPED.finditer(text):
        if match["prefix"].lower() != prefix:
            continue
        kind = _NUMBER if match["number"] else _YES_NO if match["truth"] else _TEXT
        if found.get(match["name"], _TEXT) == _TEXT:
            found[match["name"]] = kind
    return found


class ProfileRecord:
    """One profile as a record of the rule language.

    Args:
        view: the profile through its granted purposes, at one time.
        members: segment -> (is member, until when without an event); filled in as segments are decided.
    """

    def __init__(self, view: ProfileView, members: Mapping[str, tuple[bool, int | None]] | None = None) -> None:
        self.view = view
        self.members = dict(members or {})
        self._known: dict[str, tuple[Value, int | None]] = {}

    def get(self, column: str) -> Value:
        """Returns a column's value, None where nothing is known."""
        return self._read(column)[0]

    def holds_until(self, column: str) -> int | None:
        """Returns the first time at which a column may change without an event, None when only an event changes it."""
        return self._read(column)[1]

    def call(self, name: str, args: tuple[Argument, ...], now_ms: int) -> CallResult:
        """Returns a function's result; `now_ms` is the view's."""
        del now_ms
        return _FUNCTIONS[name](self, *args)

    def _read(self, column: str) -> tuple[Value, int | None]:
        found = self._known.get(column)
        if found is None:
            found = self._known[column] = self._find(column)
        return found

    def _find(self, column: str) -> tuple[Value, int | None]:
        if column in _READERS:
            return _READERS[column](self.view)
        view = self.view
        if column.startswith(CONSENT):
            word = view.profile.consent.get(column[len(CONSENT) :])
            return (None if word is None else word.is_granted), None
        if column.startswith(TRAITS):
            return _trait(view, column[len(TRAITS) :]), None
        if column.startswith(SEGMENT):
            return self.members.get(column[len(SEGMENT) :], (None, None))
        return _prediction(view, column[len(PREDICTION) :]) if column.startswith(PREDICTION) else _counted(view, column)


def plural(name: str) -> str:
    """Returns a class's name as its counts are called.

    Example:
        >>> plural("view"), plural("search"), plural("delivery"), plural("play")
        ('views', 'searches', 'deliveries', 'plays')
    """
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"


def _counted(view: ProfileView, column: str) -> tuple[Value, int | None]:
    counted, _, window = column.rpartition("_")
    for name in (counted[:-1], counted[:-2]):
        if name in view.classes and plural(name) == counted:
            return view.count_until(name, int(window[:-1]))
    return 0, None


def _prediction(view: ProfileView, name: str) -> tuple[Value, int | None]:
    foretold = view.prediction(name)
    return foretold, None if foretold is None else _tomorrow(view)


def _trait(view: ProfileView, name: str) -> Value:
    held = view.trait(name)
    if held is None:
        return None
    value = held.value
    if isinstance(value, list):
        return [str(part) for part in value]
    return value if isinstance(value, str | bool | int | float) else str(value)


def _as_of(view: ProfileView) -> int:
    return view.now_ms // DAY_MS * DAY_MS


def _tomorrow(view: ProfileView) -> int:
    return _as_of(view) + DAY_MS


def _affinity(record: ProfileRecord, facet: str, value: str) -> CallResult:
    strength = record.view.affinity_at(facet, value, _as_of(record.view))
    return CallResult(strength, _tomorrow(record.view) if strength else None)


def _share(record: ProfileRecord, facet: str, value: str) -> CallResult:
    view = record.view
    strengths = view.affinities_at(facet, _as_of(view))
    total = sum(strength for strength in strengths.values() if strength > 0)
    if total <= 0:
        return CallResult(0.0, _tomorrow(view) if any(strengths.values()) else None)
    return CallResult(max(0.0, strengths.get(value, 0.0)) / total, _tomorrow(view))


def _count(record: ProfileRecord, signal_class: str, days: float | None = None) -> CallResult:
    n, until = record.view.count_until(signal_class, None if days is None else int(days))
    return CallResult(float(n), until)


def _did(record: ProfileRecord, signal_class: str, item_id: str, days: float | None = None) -> CallResult:
    view = record.view
    held = view.profile.items.get(signal_class, {}).get(item_id) if signal_class in view.classes else None
    if held is None:
        return CallResult(0.0)
    if days is None:
        return CallResult(1.0)
    until = held.last_ms + int(days * DAY_MS)
    return CallResult(1.0, until) if view.now_ms < until else CallResult(0.0)


def _bought(record: ProfileRecord, item_id: str) -> CallResult:
    settings = record.view.settings
    classes = [name for name, role in settings.roles.items() if role == "order" and name in settings.classes]
    classes += [name for name in record.view.profile.orders.classes if name not in classes]
    return CallResult(max((_did(record, name, item_id).value or 0.0 for name in classes), default=0.0))


def _viewed(record: ProfileRecord, item_id: str, days: float | None = None) -> CallResult:
    return _did(record, "view", item_id, days)


def _trait_number(record: ProfileRecord, name: str) -> CallResult:
    value = _trait(record.view, name)
    try:
        return CallResult(float(value) if isinstance(value, str | int | float) else None)
    except ValueError:
        return CallResult(None)


def _in_segment(record: ProfileRecord, name: str) -> CallResult:
    is_member, until = record.members.get(name, (False, None))
    return CallResult(float(is_member), until)


_FUNCTIONS: Mapping[str, Callable[..., CallResult]] = {
    "affinity": _affinity,
    "share": _share,
    "count": _count,
    "bought": _bought,
    "viewed": _viewed,
    "did": _did,
    "trait_number": _trait_number,
    "in_segment": _in_segment,
}


Reader = Callable[[ProfileView], tuple[Value, int | None]]


def _seen(name: str, view: ProfileView) -> tuple[Value, int | None]:
    profile = view.profile
    return (getattr(profile, name) if view.is_profiled and profile.n_events else None), None


def _events(view: ProfileView) -> tuple[Value, int | None]:
    return (view.profile.n_events if view.is_profiled else 0), None


def _sessions(view: ProfileView) -> tuple[Value, int | None]:
    return window_sum(_by_day(view), 30, view.now_ms)


def _by_day(view: ProfileView) -> dict[int, int]:
    days: dict[int, int] = {}
    for session in view.sessions():
        day = session.end_ms // DAY_MS
        days[day] = days.get(day, 0) + 1
    return days


def _last_order(view: ProfileView) -> tuple[Value, int | None]:
    orders = view.profile.orders
    return (orders.last_ms if orders.n and view.may_read_orders() else None), None


def _orders(days: int | None, view: ProfileView) -> tuple[Value, int | None]:
    if not view.may_read_orders():
        return 0, None
    return (view.profile.orders.n, None) if days is None else window_sum(view.profile.orders.days, days, view.now_ms)


def _refunds(view: ProfileView) -> tuple[Value, int | None]:
    return view.rfm().n_refunds, None


def _revenue(days: int | None, view: ProfileView) -> tuple[Value, int | None]:
    orders = view.profile.orders
    if not orders.money or not view.may_read_orders():
        return 0, None
    currency = min(orders.money, key=lambda name: (-orders.money[name], name))
    if days is None:
        return view.rfm().money[currency], None
    by_day = {day: money[currency] for day, money in orders.money_days.items() if currency in money}
    return window_sum(by_day, days, view.now_ms)


def _cart_items(view: ProfileView) -> tuple[Value, int | None]:
    return sum(line.signal_class in view.classes for line in in_cart(view.profile).values()), None


def _place(name: str, view: ProfileView) -> tuple[Value, int | None]:
    return view.place(name) or None, None


def _device(view: ProfileView) -> tuple[Value, int | None]:
    """Returns the class of the device used last."""
    devices = view.profile.devices if view.is_profiled else {}
    if not devices:
        return None, None
    return max(devices, key=lambda name: (devices[name].last_ms, name)).split(" ")[0], None


_READERS: Mapping[str, Reader] = {
    "first_seen": partial(_seen, "first_ms"),
    "last_seen": partial(_seen, "last_ms"),
    "last_order": _last_order,
    "events": _events,
    "sessions_30d": _sessions,
    "orders": partial(_orders, None),
    "orders_30d": partial(_orders, 30),
    "orders_90d": partial(_orders, 90),
    "refunds": _refunds,
    "revenue": partial(_revenue, None),
    "revenue_30d": partial(_revenue, 30),
    "revenue_90d": partial(_revenue, 90),
    "cart_items": _cart_items,
    "stage": lambda view: view.stage_until(),
    "country": partial(_place, "country"),
    "city": partial(_place, "city"),
    "language": partial(_place, "language"),
    "timezone": partial(_place, "timezone"),
    "device": _device,
}
