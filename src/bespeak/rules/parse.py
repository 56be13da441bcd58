"""From text to a checked, typed tree.

sqlglot parses, this module decides: each node of its tree is either known here, with exactly the arguments that are
known here, or refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError

from bespeak.errors import RuleError
from bespeak.rules import operands
from bespeak.rules.columns import ColumnType
from bespeak.rules.nodes import (
    And,
    Arithmetic,
    Column,
    Context,
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
)
from bespeak.rules.operands import Operand
from bespeak.rules.schema import Argument, Call, FunctionSignature, Parameter, Schema
from bespeak.rules.tokens import CALL_PREFIX, refusal, tokens_of, unknown

MAX_DEPTH = 64

_COMPARISONS: Mapping[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_ARITHMETIC: Mapping[type[exp.Expression], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def tree_of(text: str, schema: Schema) -> Node:
    """Return the typed tree of an expression.

    Raises:
        RuleError: it is not a boolean expression over the schema; with the position and the allowed names.
    """
    tokens = tokens_of(text, schema)
    too_deep = RuleError(f"The rule is nested too deeply; at most {MAX_DEPTH} levels are allowed.", position=0)
    try:
        parsed = Dialect.get_or_raise("duckdb").parser().parse(tokens, text)
        if len(parsed) != 1 or not isinstance(parsed[0], exp.Expression):
            raise refusal("One expression is needed", 0)
        root = _Checker(schema).check(parsed[0])
    except SqlglotError as error:
        raise _syntax_error(error, text) from error
    except RecursionError:
        # The limits keep far below Python's own; this is for callers that are themselves deep in a stack.
        raise too_deep from None
    return operands.as_kind(root, Kind.BOOLEAN)


def _syntax_error(error: SqlglotError, text: str) -> RuleError:
    details = getattr(error, "errors", None) or [{}]
    column, line = details[0].get("col"), details[0].get("line")
    if column is None or line is None:
        return RuleError("The rule cannot be read.", hint="Check its operators and parentheses.")
    # sqlglot names the last character of the word it stumbled over, counted from 1 in its line.
    before = sum(len(part) for part in text.splitlines(keepends=True)[: line - 1])
    position = min(max(before + column - 1, 0), max(len(text) - 1, 0))
    return refusal("The rule cannot be read from here on", position, "Check its operators and parentheses.")


class _Checker:
    """Turns sqlglot's tree into ours, depth first."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.depth = 0

    def check(self, node: exp.Expression) -> Operand:
        """Return the checked expression."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise refusal("The rule is nested too deeply", _position(node), f"At most {MAX_DEPTH} levels are allowed.")
        try:
            return Operand(self._convert(node), _position(node))
        finally:
            self.depth -= 1

    def _convert(self, node: exp.Expression) -> Node:
        convert = self._converters().get(type(node))
        if convert is None:
            raise refusal("This is not part of the rule language", _position(node))
        return convert(node)

    def _converters(self) -> Mapping[type[exp.Expression], Callable[[Any], Node]]:
        """The whitelist: every kind of node that a rule may hold."""
        return {
            **dict.fromkeys(_COMPARISONS, self._comparison),
            **dict.fromkeys(_ARITHMETIC, self._arithmetic),
            exp.And: self._junction,
            exp.Or: self._junction,
            exp.Not: self._negation,
            exp.Paren: self._group,
            exp.Column: self._column,
            exp.Literal: self._literal,
            exp.Neg: self._negative,
            exp.Anonymous: self._call,
            exp.In: self._membership,
            exp.Between: self._between,
            exp.Is: self._test,
            exp.Like: self._like,
            exp.ILike: self._like,
        }

    def _children(self, node: exp.Expression, *names: str, ignore: tuple[str, ...] = ()) -> list[Operand]:
        _only(node, *names, *ignore)
        found = [node.args.get(name) for name in names]
        if not all(isinstance(child, exp.Expression) for child in found):
            raise refusal("Something is missing here", _position(node))
        return [self.check(child) for child in found if isinstance(child, exp.Expression)]

    def _junction(self, node: exp.Expression) -> Node:
        """Collect a chain of ANDs or ORs without recursion: it may be as long as the text allows."""
        kind = type(node)
        found: list[exp.Expression] = []
        waiting = [node]
        while waiting:
            current = waiting.pop()
            if type(current) is kind:
                _only(current, "this", "expression")
                waiting += [current.args["expression"], current.args["this"]]
            else:
                found.append(current)
        parts = tuple(operands.as_kind(self.check(each), Kind.BOOLEAN) for each in found)
        return And(parts) if kind is exp.And else Or(parts)

    def _negation(self, node: exp.Not) -> Node:
        (operand,) = self._children(node, "this")
        return Not(operands.as_kind(operand, Kind.BOOLEAN))

    def _group(self, node: exp.Paren) -> Node:
        (operand,) = self._children(node, "this")
        return operand.node

    def _arithmetic(self, node: exp.Expression) -> Node:
        # The parser notes on a division how its dialect divides; ours is always exact, NULL by zero.
        left, right = self._children(node, "this", "expression", ignore=("typed", "safe"))
        return operands.arithmetic(_ARITHMETIC[type(node)], left, right)

    def _between(self, node: exp.Between) -> Node:
        operand, low, high = self._children(node, "this", "low", "high")
        return And((operands.comparison(">=", operand, low), operands.comparison("<=", operand, high)))

    def _comparison(self, node: exp.Expression) -> Node:
        op, right = _COMPARISONS[type(node)], node.args.get("expression")
        if type(node.args.get("this")) in _COMPARISONS:
            raise refusal("Comparisons cannot be chained", _position(node), "Join them with AND, or use parentheses.")
        if _call_name(right) == "any":
            if op != "=":
                raise refusal("ANY(...) only follows '='", _position(right or node))
            left = self.check(node.args["this"])
            texts = self._arguments(right)
            if len(texts) != 1:
                raise refusal("ANY(...) takes one list column", _position(node))
            return operands.contains(texts[0], left)
        left, checked = self._children(node, "this", "expression")
        return operands.comparison(op, left, checked)

    def _membership(self, node: exp.Expression) -> Node:
        if node.args.get("field") or not node.expressions:
            raise refusal(
                "IN needs at least one constant in parentheses", _position(node), "Write: column IN ('a', 'b')."
            )
        _only(node, "this", "expressions")
        return operands.membership(self.check(node.args["this"]), [self.check(item) for item in node.expressions])

    def _test(self, node: exp.Expression) -> Node:
        _only(node, "this", "expression")
        operand, tested = self.check(node.args["this"]), node.args["expression"]
        if isinstance(tested, exp.Null):
            is_bare = operand.node.kind is Kind.NULL
            return IsNull(Literal(Kind.BOOLEAN, None) if is_bare else operand.node)
        if isinstance(tested, exp.Boolean):
            return IsTruth(operands.as_kind(operand, Kind.BOOLEAN), bool(tested.this))
        raise refusal("IS is followed by NULL, TRUE or FALSE (or NOT and one of these)", operand.position)

    def _like(self, node: exp.Expression) -> Node:
        operand, pattern = self._children(node, "this", "expression", ignore=("negate",))
        wanted = operands.as_kind(pattern, Kind.TEXT)
        if not isinstance(wanted, Literal):
            raise refusal("LIKE needs a pattern that is written out", pattern.position)
        value = wanted.value if isinstance(wanted.value, str) else None
        found = Like(operands.as_kind(operand, Kind.TEXT), value, isinstance(node, exp.ILike))
        # Some releases of the parser mark NOT LIKE on the node, others put it around the node.
        return Not(found) if node.args.get("negate") else found

    def _column(self, node: exp.Expression) -> Node:
        _only(node, "this")
        name = node.name
        declared = self.schema.columns.get(name)
        if declared is None and name in self.schema.context:
            return Context(Kind.of(self.schema.context[name]), name)
        column_type = declared or self.schema.open_as
        if column_type is None:
            raise refusal("This is not a column", _position(node))
        return Column(Kind.of(column_type), name)

    def _literal(self, node: exp.Expression) -> Literal:
        if node.is_string:
            return Literal(Kind.TEXT, node.this)
        value = float(node.this) if _NUMBER.fullmatch(node.this) else math.inf
        if not math.isfinite(value):
            raise refusal(f"'{node.this[:40]}' is not a number that can be kept", _position(node))
        return Literal(Kind.NUMBER, value)

    def _negative(self, node: exp.Expression) -> Node:
        (operand,) = self._children(node, "this")
        if isinstance(operand.node, Literal) and isinstance(operand.node.value, float):
            return Literal(Kind.NUMBER, -operand.node.value)
        if operand.node.kind is Kind.DURATION:
            return Arithmetic(Kind.DURATION, "-", Literal(Kind.DURATION, 0), operand.node)
        return Arithmetic(Kind.NUMBER, "-", Literal(Kind.NUMBER, 0.0), operands.as_kind(operand, Kind.NUMBER))

    def _call(self, node: exp.Expression) -> Node:
        name, args, position = _call_name(node), self._arguments(node), _position(node)
        signature = self.schema.functions.get(name)
        if signature is not None:
            call = Call(name, _call_arguments(name, signature, args, position))
            return ProfileCall(call, signature.is_time_dependent)
        constant = _constant(name, args, position)
        return operands.function(name, args, position) if constant is None else constant

    def _arguments(self, node: exp.Expression | None) -> list[Operand]:
        if node is None:
            return []
        _only(node, "this", "expressions")
        return [self.check(arg) for arg in node.expressions]


def _constant(name: str, args: list[Operand], position: int) -> Node | None:
    """Read back the constants that the token list has as calls; None for a real function."""
    found: Node | None = None
    match name:
        case "true" | "false":
            found = Literal(Kind.BOOLEAN, name == "true")
        case "null":
            found = Literal(Kind.NULL, None)
        case "timestamp":
            found = operands.as_kind(args[0], Kind.TIMESTAMP)
        case "interval":
            texts = [str(arg.node.value) for arg in args if isinstance(arg.node, Literal)]
            amount, unit = texts if len(texts) == 2 else (texts[0], "")
            found = Literal(Kind.DURATION, operands.duration_ms(amount, unit, position))
        case "any":
            raise refusal("ANY(...) only stands to the right of '='", position)
        case "now" if args:
            raise refusal("now() takes no arguments", position)
        case "now":
            found = Now()
    return found


def _call_arguments(
    name: str, signature: FunctionSignature, args: list[Operand], position: int
) -> tuple[Argument, ...]:
    parameters = signature.parameters
    if not signature.n_required <= len(args) <= len(parameters):
        form = ", ".join(f"{one.name}?" if one.is_optional else one.name for one in parameters)
        raise refusal(f"{name}() was given {len(args)} argument(s)", position, f"It is written {name}({form}).")
    return tuple(_call_argument(name, parameter, arg) for parameter, arg in zip(parameters, args, strict=False))


def _call_argument(name: str, parameter: Parameter, arg: Operand) -> Argument:
    node = arg.node
    if not isinstance(node, Literal) or node.kind.value != parameter.type.value or node.value is None:
        raise refusal(
            f"{parameter.name} of {name}() must be a {parameter.type.value} that is written out", arg.position
        )
    value = node.value
    if parameter.type is ColumnType.NUMBER and isinstance(value, float) and value.is_integer():
        value = int(value)
    if parameter.allowed and value not in parameter.allowed:
        raise unknown(parameter.name, str(value)[:60], list(parameter.allowed), arg.position)
    return value


def _call_name(node: exp.Expression | None) -> str:
    """The function's name if the node is a call from our token list, otherwise an empty text."""
    if not isinstance(node, exp.Anonymous) or not isinstance(node.this, str):
        return ""
    return node.this.removeprefix(CALL_PREFIX)


def _only(node: exp.Expression, *names: str) -> None:
    """Refuse a node that carries an argument not known here: it would change the meaning unseen."""
    for name, value in node.args.items():
        if name not in names and value:
            raise refusal("This is not part of the rule language", _position(node))


def _position(node: exp.Expression) -> int:
    """The offset of the first character that the parser placed in this expression, 0 when it placed none."""
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return min(starts, default=0)
