"""Evaluate a rule for one record, and say until when the answer holds without an event.

The tree is compiled once to closures. Each returns its value and the first time at which that value may differ though
nothing happened (`FOREVER` when it cannot). Only two things move by themselves: `now()`, and profile functions that
say so. A time is therefore kept as a straight line, `slope * now + offset`, and a comparison of two times knows
exactly when it turns. For AND and OR the bound is as wide as the logic allows: a false AND stays false as long as any
one of its false operands does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from bespeak.rules import values
from bespeak.rules.nodes import (
    TIMES,
    And,
    Arithmetic,
    Column,
    Compare,
    Contains,
    Context,
    Function,
    In,
    IsNull,
    IsTruth,
    Kind,
    Like,
    Literal,
    Node,
    Not,
    Now,
    Or,
    ProfileCall,
    SameTruth,
)
from bespeak.rules.schema import Record, Value
from bespeak.rules.text import Pattern, lower, upper

FOREVER = 2**63 - 1


class Verdict(NamedTuple):
    """The answer for one record.

    Attributes:
        holds: the rule is true (NULL is not).
        flips_at_ms: no event coming in, the answer stays as it is before this time, at which it may change; None when
            only an event can change it. It can be earlier than the real change, never later.
    """

    holds: bool
    flips_at_ms: int | None


class Environment(NamedTuple):
    """What one evaluation reads."""

    record: Record
    now_ms: int
    context: Mapping[str, Value]


class Line(NamedTuple):
    """A time or span that is `slope * now + offset` milliseconds."""

    slope: int
    offset: int

    def at(self, now_ms: int) -> int:
        """The milliseconds at this time."""
        return self.slope * now_ms + self.offset

    def minus(self, other: Line) -> Line:
        """The difference, again a line."""
        return Line(self.slope - other.slope, self.offset - other.offset)


Answer = tuple[Any, int]
Evaluate = Callable[[Environment], Answer]


def verdict(evaluate: Evaluate, record: Record, now_ms: int, context: Mapping[str, Value]) -> Verdict:
    """Run a compiled rule."""
    value, until = evaluate(Environment(record, now_ms, context))
    return Verdict(value is True, None if until == FOREVER else max(until, now_ms + 1))


def compiled(node: Node) -> Evaluate:
    """Return the closure that evaluates a node."""
    return _COMPILERS[type(node)](node)


def _fixed(value: Any) -> Evaluate:
    answer: Answer = (value, FOREVER)
    return lambda _: answer


def _literal(node: Literal) -> Evaluate:
    return _fixed(_as_line(node.value) if node.kind in TIMES else node.value)


def _named(node: Column | Context) -> Evaluate:
    name, read = node.name, _READ[node.kind]
    if isinstance(node, Column):
        return lambda env: (read(env.record.get(name)), FOREVER)
    return lambda env: (read(env.context.get(name)), FOREVER)


def _as_line(value: object) -> Line | None:
    ms = values.time_ms(value)
    return None if ms is None else Line(0, ms)


_READ: Mapping[Kind, Callable[[object], Any]] = {
    Kind.NUMBER: values.number,
    Kind.TEXT: values.text,
    Kind.BOOLEAN: values.boolean,
    Kind.TIMESTAMP: _as_line,
    Kind.TEXTS: values.texts,
}


def _profile_call(node: ProfileCall) -> Evaluate:
    name, args, moves = node.call.name, node.call.args, node.is_time_dependent

    def evaluate(env: Environment) -> Answer:
        result = env.record.call(name, args, env.now_ms)
        until = FOREVER if not moves or result.holds_until_ms is None else result.holds_until_ms
        return values.number(result.value), until

    return evaluate


# -- booleans


def _junction(node: And | Or) -> Evaluate:
    """AND, and OR as its mirror image: `settles` is the operand value that alone decides."""
    parts = [compiled(operand) for operand in node.operands]
    settles = isinstance(node, Or)

    def evaluate(env: Environment) -> Answer:
        settled_until, open_until, has_null = -1, FOREVER, False
        for part in parts:
            value, until = part(env)
            if value is settles:
                if until == FOREVER:
                    return settles, FOREVER
                settled_until = max(settled_until, until)
            elif value is None:
                has_null = True
            open_until = min(open_until, until)
        if settled_until >= 0:
            return settles, settled_until
        return None if has_null else not settles, open_until

    return evaluate


def _in(node: In) -> Evaluate:
    wanted, otherwise = frozenset(node.values), None if node.has_null else False
    return _each(node.operand, lambda value: True if value in wanted else otherwise)


def _like(node: Like) -> Evaluate:
    if node.pattern is None:
        return _fixed(None)
    return _each(node.operand, Pattern(node.pattern, node.ignores_case).matches)


def _is(node: IsNull | IsTruth) -> Evaluate:
    operand, wanted = compiled(node.operand), node.value if isinstance(node, IsTruth) else None

    def evaluate(env: Environment) -> Answer:
        value, until = operand(env)
        return value is wanted, until

    return evaluate


def _compare(node: Compare) -> Evaluate:
    if node.left.kind in TIMES:
        return _time_compare(node)
    return _pair(node.left, node.right, values.COMPARE[node.op])


def _time_compare(node: Compare) -> Evaluate:
    left, right, op = compiled(node.left), compiled(node.right), values.COMPARE[node.op]

    def evaluate(env: Environment) -> Answer:
        (one, one_until), (other, other_until) = left(env), right(env)
        until = min(one_until, other_until)
        if one is None or other is None:
            return None, until
        gap = one.minus(other)
        return op(gap.at(env.now_ms), 0), min(until, _turn(gap, env.now_ms, lambda ms: op(ms, 0)))

    return evaluate


def _turn(gap: Line, now_ms: int, holds: Callable[[int], bool]) -> int:
    """Return the first time after now at which `holds(gap)` differs; it depends on the gap's sign alone.

    The gap changes sign at most twice: it arrives at zero (or jumps over it), and leaves it.
    """
    gap_now = gap.at(now_ms)
    if gap.slope == 0 or gap_now * gap.slope > 0:
        return FOREVER
    steps, rest = divmod(abs(gap_now), abs(gap.slope))
    truth_now = holds(gap_now)
    for time in (now_ms + steps + (rest > 0), now_ms + steps + 1):
        if time > now_ms and holds(gap.at(time)) is not truth_now:
            return time
    return FOREVER


def _pair(left: Node, right: Node, combine: Callable[[Any, Any], Any]) -> Evaluate:
    """NULL if either is, else the combination."""
    one, other = compiled(left), compiled(right)

    def evaluate(env: Environment) -> Answer:
        (a, a_until), (b, b_until) = one(env), other(env)
        until = a_until if a_until < b_until else b_until
        return (None if a is None or b is None else combine(a, b)), until

    return evaluate


def _each(operand: Node, change: Callable[[Any], Any]) -> Evaluate:
    """NULL stays NULL, else the change."""
    inner = compiled(operand)

    def evaluate(env: Environment) -> Answer:
        value, until = inner(env)
        return (None if value is None else change(value)), until

    return evaluate


# -- numbers and texts


def _arithmetic(node: Arithmetic) -> Evaluate:
    if node.kind in TIMES:
        return _time_arithmetic(node)
    if node.op == "/":
        return _pair(node.left, node.right, lambda a, b: None if b == 0 else _real(a / b))
    combine = values.ARITHMETIC[node.op]
    return _pair(node.left, node.right, lambda a, b: _real(combine(a, b)))


def _real(value: float) -> float | None:
    return None if math.isnan(value) else value


def _rounded(value: float, digits: int) -> float:
    """Round half away from zero, as DuckDB does; what would leave the range of numbers stays as it is."""
    scale = 10.0 ** abs(digits)
    scaled = value * scale if digits >= 0 else value / scale
    if not math.isfinite(scaled):
        return value
    whole = math.trunc(scaled)
    if abs(scaled - whole) >= 0.5:
        whole += int(math.copysign(1, scaled))
    result = whole / scale if digits >= 0 else whole * scale
    return result if math.isfinite(result) else value


def _function(node: Function) -> Evaluate:
    if node.name == "coalesce":
        return _coalesce([compiled(arg) for arg in node.args])
    if node.name in {"least", "greatest"}:
        choose = min if node.name == "least" else max
        parts = [compiled(arg) for arg in node.args]
        return _extreme_time(parts, choose) if node.kind in TIMES else _extreme(parts, choose)
    if node.name == "round":
        digits = _digits(node)
        return _each(node.args[0], lambda value: _rounded(value, digits))
    return _each(node.args[0], _OF_ONE[node.name])


_OF_ONE: Mapping[str, Callable[[Any], Any]] = {
    "abs": abs,
    "floor": lambda value: value if math.isinf(value) else float(math.floor(value)),
    "length": lambda value: float(len(value)),
    "lower": lower,
    "upper": upper,
}


def _digits(node: Function) -> int:
    literal = node.args[1]
    assert isinstance(literal, Literal)
    assert isinstance(literal.value, float)
    return int(literal.value)


def _coalesce(parts: Sequence[Evaluate]) -> Evaluate:
    def evaluate(env: Environment) -> Answer:
        until = FOREVER
        for part in parts:
            value, holds_until = part(env)
            until = min(until, holds_until)
            if value is not None:
                return value, until
        return None, until

    return evaluate


def _extreme(parts: Sequence[Evaluate], choose: Callable[[list[float]], float]) -> Evaluate:
    def evaluate(env: Environment) -> Answer:
        answers = [part(env) for part in parts]
        known = [value for value, _ in answers if value is not None]
        return (choose(known) if known else None), min(until for _, until in answers)

    return evaluate


# -- times


def _time_arithmetic(node: Arithmetic) -> Evaluate:
    if node.op == "-":
        return _pair(node.left, node.right, Line.minus)
    return _pair(node.left, node.right, lambda one, other: Line(one.slope + other.slope, one.offset + other.offset))


def _extreme_time(parts: Sequence[Evaluate], choose: Callable[..., Line]) -> Evaluate:
    """The chosen line holds until it meets another one."""

    def evaluate(env: Environment) -> Answer:
        answers = [part(env) for part in parts]
        until = min(until for _, until in answers)
        known: list[Line] = [line for line, _ in answers if line is not None]
        if not known:
            return None, until
        chosen = choose(known, key=lambda line: line.at(env.now_ms))
        for line in known:
            gap = line.minus(chosen)
            until = min(
                until,
                _turn(gap, env.now_ms, lambda ms: ms > 0),
                _turn(gap, env.now_ms, lambda ms: ms < 0),
            )
        return chosen, until

    return evaluate


_COMPILERS: Mapping[type, Callable[[Any], Evaluate]] = {
    Literal: _literal,
    Column: _named,
    Context: _named,
    ProfileCall: _profile_call,
    Now: lambda _: _fixed(Line(1, 0)),
    Arithmetic: _arithmetic,
    Function: _function,
    Compare: _compare,
    SameTruth: lambda node: _pair(node.left, node.right, lambda one, other: one is other),
    In: _in,
    Like: _like,
    Contains: lambda node: _pair(node.texts, node.text, lambda texts, text: text in texts),
    IsNull: _is,
    IsTruth: _is,
    Not: lambda node: _each(node.operand, lambda value: not value),
    And: _junction,
    Or: _junction,
}
