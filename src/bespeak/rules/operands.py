"""The type rules: which operands go together, and what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from bespeak.rules.columns import MAX_TIME_MS
from bespeak.rules.nodes import (
    TIMES,
    Arithmetic,
    Column,
    Compare,
    Contains,
    Context,
    Function,
    In,
    Kind,
    Literal,
    Node,
    Not,
    Or,
    ProfileCall,
    SameTruth,
    walk,
)
from bespeak.rules.tokens import refusal

_UNIT_MS = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}
_UNITS = ", ".join(unit.upper() for unit in _UNIT_MS)
_MAX_DURATION_MS = 1_000_000 * _UNIT_MS["day"]
_AMOUNT = re.compile(r"\s*([+-]?\d{1,15})\s*([A-Za-z]*)\s*", re.ASCII)
_ROUND_DIGITS = 15


class Operand(NamedTuple):
    """A checked expression and where it stands."""

    node: Node
    position: int


def described(operand: Operand) -> str:
    """Name an operand and its type for a message, such as `price (number)`."""
    node = operand.node
    match node:
        case Column() | Context():
            return f"{node.name} ({_kind_word(node.kind)})"
        case Literal(value=None):
            return "NULL"
        case Literal(kind=Kind.TEXT, value=str() as value):
            return f"'{value if len(value) <= 40 else value[:40] + '…'}' (text)"
        case Function() | ProfileCall():
            name = node.name if isinstance(node, Function) else node.call.name
            return f"{name}(…) ({_kind_word(node.kind)})"
        case _:
            return f"this {_kind_word(node.kind)}"


def _kind_word(kind: Kind) -> str:
    return {Kind.TEXTS: "list of texts", Kind.DURATION: "span of time"}.get(kind, kind.value)


def as_kind(operand: Operand, kind: Kind) -> Node:
    """Return the operand as this kind: a bare NULL takes it, a text constant becomes a time.

    Raises:
        RuleError: it is of another kind.
    """
    node = operand.node
    if node.kind is kind:
        return node
    if isinstance(node, Literal):
        if node.kind is Kind.NULL:
            return Literal(kind, None)
        if kind is Kind.TIMESTAMP and isinstance(node.value, str):
            return Literal(kind, time_ms(node.value, operand.position))
    raise refusal(f"A {_kind_word(kind)} is needed here, but {described(operand)} was given", operand.position)


def is_constant(node: Node) -> bool:
    """Whether the expression is the same for all rows."""
    return not any(isinstance(part, Column) for part in walk(node))


def common_kind(operands: Sequence[Operand]) -> Kind:
    """Return the kind that all operands can take: the first that is neither NULL nor a text beside a time.

    NULLs alone count as numbers. That the others really fit is `as_kind`'s check.
    """
    kinds = [operand.node.kind for operand in operands if operand.node.kind is not Kind.NULL]
    for kind in kinds:
        if kind is not Kind.TEXT or Kind.TIMESTAMP not in kinds:
            return kind
    return Kind.NUMBER


def comparison(op: str, left: Operand, right: Operand) -> Node:
    """Return `left op right`; with a list of texts, `=` and `!=` ask whether it contains the text.

    Raises:
        RuleError: the two cannot be compared so.
    """
    if Kind.TEXTS in {left.node.kind, right.node.kind}:
        texts, text = (left, right) if left.node.kind is Kind.TEXTS else (right, left)
        if op not in {"=", "!="} or text.node.kind is Kind.TEXTS:
            raise refusal(f"{described(texts)} can only be compared with = or != to one text", texts.position)
        held = contains(texts, text)
        return held if op == "=" else Not(held)
    kind = common_kind((left, right))
    fits = all(_fits(operand, kind) for operand in (left, right))
    if not fits:
        hint = "Write a time as TIMESTAMP '2026-01-31 12:00:00'." if kind is Kind.TIMESTAMP else ""
        raise refusal(f"{described(left)} cannot be compared with {described(right)}", left.position, hint)
    one, other = as_kind(left, kind), as_kind(right, kind)
    if kind is Kind.BOOLEAN:
        if op not in {"=", "!="}:
            raise refusal(f"{described(left)} has no order, so '{op}' does not apply", left.position)
        same = SameTruth(one, other)
        return same if op == "=" else Not(same)
    return Compare(op, one, other)


def _fits(operand: Operand, kind: Kind) -> bool:
    node = operand.node
    if node.kind is kind or node.kind is Kind.NULL:
        return True
    return kind is Kind.TIMESTAMP and isinstance(node, Literal) and node.kind is Kind.TEXT


def contains(texts: Operand, text: Operand) -> Contains:
    """Return whether a list of texts holds a text; one of the two must be the same for all rows."""
    if texts.node.kind is Kind.TEXT:
        raise refusal(
            f"{described(texts)} is one text, not a list",
            texts.position,
            "To look for a part of a text write: column LIKE '%part%'.",
        )
    one, other = as_kind(texts, Kind.TEXTS), as_kind(text, Kind.TEXT)
    if not is_constant(one) and not is_constant(other):
        raise refusal("A list column can only be asked for a constant text", text.position)
    return Contains(one, other)


def membership(operand: Operand, items: Sequence[Operand]) -> Node:
    """Return `operand IN (items)`; the items are constants of its kind.

    Raises:
        RuleError: no items, an item that is not written out, or one of another kind.
    """
    for item in items:
        if not isinstance(item.node, Literal):
            raise refusal("IN needs constants between its parentheses", item.position)
    kind = common_kind((operand, *items))
    if kind in {Kind.TEXTS, Kind.BOOLEAN} | TIMES:
        equals = tuple(comparison("=", operand, item) for item in items)
        return equals[0] if len(equals) == 1 else Or(equals)
    literals = [as_kind(item, kind) for item in items]
    values = [literal.value for literal in literals if isinstance(literal, Literal)]
    known = tuple(value for value in values if isinstance(value, float | str))
    return In(as_kind(operand, kind), known, has_null=None in values)


def arithmetic(op: str, left: Operand, right: Operand) -> Node:
    """Return `left op right` of numbers, or the sum or difference of times and spans of time.

    Raises:
        RuleError: the two do not go together.
    """
    kinds = {left.node.kind, right.node.kind}
    if not kinds & TIMES:
        return Arithmetic(Kind.NUMBER, op, as_kind(left, Kind.NUMBER), as_kind(right, Kind.NUMBER))
    if op not in {"+", "-"}:
        raise refusal(f"Times cannot be used with '{op}'", left.position)
    point, span = Kind.TIMESTAMP, Kind.DURATION
    if left.node.kind is Kind.NULL or (left.node.kind is Kind.TEXT and op == "-"):
        left = Operand(as_kind(left, point if op == "-" else span), left.position)
    if right.node.kind is Kind.NULL or (right.node.kind is Kind.TEXT and op == "-"):
        right = Operand(as_kind(right, span if right.node.kind is Kind.NULL else point), right.position)
    result = {
        (point, "-", point): span,
        (point, "-", span): point,
        (point, "+", span): point,
        (span, "+", point): point,
        (span, "+", span): span,
        (span, "-", span): span,
    }.get((left.node.kind, op, right.node.kind))
    if result is None:
        raise refusal(
            f"'{op}' does not go with {described(left)} and {described(right)}",
            right.position,
            "Spans of time are written as INTERVAL '30' DAY.",
        )
    return Arithmetic(result, op, left.node, right.node)


def function(name: str, args: Sequence[Operand], position: int) -> Node:
    """Return the call of a built-in function.

    Raises:
        RuleError: a wrong number or kind of arguments.
    """
    least, most = _N_ARGUMENTS[name]
    if len(args) < least or (most is not None and len(args) > most):
        wanted = f"{least}" if most == least else f"{least} to {most}" if most else f"at least {least}"
        raise refusal(f"{name}() takes {wanted} argument(s), not {len(args)}", position)
    if name in {"coalesce", "greatest", "least"}:
        return _choice(name, args)
    match name:
        case "contains":
            return contains(args[0], args[1])
        case "abs" | "floor":
            kind, parts = Kind.NUMBER, [as_kind(args[0], Kind.NUMBER)]
        case "round":
            digits = _digits(args[1]) if len(args) == 2 else Literal(Kind.NUMBER, 0.0)
            kind, parts = Kind.NUMBER, [as_kind(args[0], Kind.NUMBER), digits]
        case "length":
            counted = Kind.TEXTS if args[0].node.kind is Kind.TEXTS else Kind.TEXT
            kind, parts = Kind.NUMBER, [as_kind(args[0], counted)]
        case _:
            kind, parts = Kind.TEXT, [as_kind(args[0], Kind.TEXT)]
    return Function(kind, name, tuple(parts))


def _choice(name: str, args: Sequence[Operand]) -> Node:
    """One of several of a kind: coalesce of anything but lists, least and greatest of numbers or times."""
    if all(arg.node.kind is Kind.NULL for arg in args):
        return Literal(Kind.NULL, None)
    kind = common_kind(args)
    if kind is Kind.TEXTS or (name != "coalesce" and kind not in {Kind.NUMBER} | TIMES):
        raise refusal(f"{name}() does not take {described(args[0])}", args[0].position)
    return Function(kind, name, tuple(as_kind(arg, kind) for arg in args))


_N_ARGUMENTS: dict[str, tuple[int, int | None]] = {
    "abs": (1, 1),
    "coalesce": (1, None),
    "contains": (2, 2),
    "floor": (1, 1),
    "greatest": (1, None),
    "least": (1, None),
    "length": (1, 1),
    "lower": (1, 1),
    "round": (1, 2),
    "upper": (1, 1),
}


def _digits(operand: Operand) -> Literal:
    node = operand.node
    if (
        isinstance(node, Literal)
        and isinstance(node.value, float)
        and node.value.is_integer()
        and abs(node.value) <= _ROUND_DIGITS
    ):
        return node
    raise refusal(
        f"round() takes a whole number of digits from {-_ROUND_DIGITS} to {_ROUND_DIGITS}, written out",
        operand.position,
    )


def time_ms(text: str, position: int) -> int:
    """Return an ISO 8601 text as milliseconds since 1970 UTC; without an offset it is UTC; finer parts are cut off.

    Raises:
        RuleError: it is not a time.

    Example:
        >>> time_ms("1970-01-02", 0), time_ms("1970-01-01T01:00:00.5+01:00", 0)
        (86400000, 500)
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        span = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        shown = text if len(text) <= 40 else text[:40] + "…"
        raise refusal(f"'{shown}' is not a time", position, "Times look like '2026-01-31 12:00:00'.") from error
    return span.days * _UNIT_MS["day"] + span.seconds * 1_000 + span.microseconds // 1_000


def duration_ms(amount: str, unit: str, position: int) -> int:
    """Return an interval as milliseconds.

    Args:
        amount: a whole number, or one with its unit (`30 days`).
        unit: the unit, or empty when it stands in the amount.
        position: where the interval stands.

    Raises:
        RuleError: no whole number, an unknown unit (months and years have no fixed length), or over a million days.

    Example:
        >>> duration_ms("2", "HOUR", 0), duration_ms("1 week", "", 0)
        (7200000, 604800000)
    """
    found = _AMOUNT.fullmatch(amount)
    inner = found[2] if found else ""
    if found is None or bool(inner) == bool(unit):
        raise refusal("An interval needs one whole number and one unit", position, "Write INTERVAL '30' DAY.")
    name = (inner or unit).lower()
    scale = _UNIT_MS.get(name) or _UNIT_MS.get(name.removesuffix("s"))
    if scale is None:
        raise refusal(f"There is no interval unit '{(inner or unit)[:40]}'", position, f"Allowed: {_UNITS}.")
    span = int(found[1]) * scale
    if abs(span) > min(_MAX_DURATION_MS, MAX_TIME_MS):
        raise refusal("The interval is longer than a million days", position)
    return span
