"""Write a rule as SQL text for DuckDB, to run it over a whole table.

The text is made from the checked tree, never from what the user typed, and says exactly what the other evaluators do:
numbers are DOUBLE with NaN as NULL, times are BIGINT milliseconds, division by zero is NULL, everything is in
parentheses. Values of the context are written in as literals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bespeak.errors import RuleError
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
from bespeak.rules.schema import Call, Value

_STORED = {
    Kind.NUMBER: "DOUBLE",
    Kind.TEXT: "VARCHAR",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TIMESTAMP: "BIGINT",
    Kind.DURATION: "BIGINT",
    Kind.TEXTS: "VARCHAR[]",
}
_NAN = "CAST('nan' AS DOUBLE)"


def quoted(name: str) -> str:
    """Return a column name as a quoted SQL identifier.

    Example:
        >>> quoted('traits.plan'), quoted('a"b')
        ('"traits.plan"', '"a""b"')
    """
    return '"' + name.replace('"', '""') + '"'


def no_function(call: Call) -> str:
    """Refuse a profile function: the caller of `sql` has to say how it is written over its table.

    Raises:
        RuleError: always.
    """
    raise RuleError(
        f"The rule calls {call}, which has no SQL form here.",
        hint="Give function_sql a way to write it, or evaluate the rule for each profile.",
    )


@dataclass(frozen=True, slots=True)
class SqlWriter:
    """Writes nodes as DuckDB SQL.

    Attributes:
        column_sql: a column's name -> its SQL.
        function_sql: a profile function's call -> its SQL, a number.
        now_sql: SQL of the evaluation time in milliseconds.
        context: the values of context names.
    """

    column_sql: Callable[[str], str]
    function_sql: Callable[[Call], str]
    now_sql: str
    context: Mapping[str, Value]

    def write(self, node: Node) -> str:
        """Return the SQL of a node, safe to stand beside any operator."""
        match node:
            case Literal():
                sql = _literal(node.kind, node.value)
            case Column():
                sql = self._column(node)
            case Context():
                sql = _literal(node.kind, self.context.get(node.name))
            case ProfileCall():
                sql = _not_nan(f"CAST({self.function_sql(node.call)} AS DOUBLE)")
            case Now():
                sql = f"CAST({self.now_sql} AS BIGINT)"
            case Arithmetic():
                sql = self._arithmetic(node)
            case Function():
                sql = self._function(node)
            case _:
                sql = self._boolean(node)
        return sql

    def _boolean(self, node: Node) -> str:
        match node:
            case And():
                sql = f"({' AND '.join(map(self.write, node.operands))})"
            case Or():
                sql = f"({' OR '.join(map(self.write, node.operands))})"
            case Not():
                sql = f"(NOT {self.write(node.operand)})"
            case Compare():
                sign = "<>" if node.op == "!=" else node.op
                sql = f"({self.write(node.left)} {sign} {self.write(node.right)})"
            case SameTruth():
                sql = f"({self.write(node.left)} = {self.write(node.right)})"
            case In():
                items = [_literal(node.operand.kind, value) for value in node.values]
                listed = ", ".join([*items, "NULL"] if node.has_null else items)
                sql = f"({self.write(node.operand)} IN ({listed}))"
            case Like():
                word = "ILIKE" if node.ignores_case else "LIKE"
                sql = f"({self.write(node.operand)} {word} {_literal(Kind.TEXT, node.pattern)})"
            case Contains():
                sql = f"list_contains({self.write(node.texts)}, {self.write(node.text)})"
            case IsNull():
                sql = f"({self.write(node.operand)} IS NULL)"
            case IsTruth():
                sql = f"({self.write(node.operand)} IS {'TRUE' if node.value else 'FALSE'})"
            case _:
                raise AssertionError(f"no SQL for {type(node).__name__}")
        return sql

    def _column(self, node: Column) -> str:
        cast = f"CAST({self.column_sql(node.name)} AS {_STORED[node.kind]})"
        return _not_nan(cast) if node.kind is Kind.NUMBER else cast

    def _arithmetic(self, node: Arithmetic) -> str:
        left, right = self.write(node.left), self.write(node.right)
        if node.kind in TIMES:
            return f"({left} {node.op} {right})"
        if node.op == "/":
            right = f"nullif({right}, 0)"
        return _not_nan(f"({left} {node.op} {right})")

    def _function(self, node: Function) -> str:
        args = [self.write(arg) for arg in node.args]
        if node.name == "length":
            name = "list_count" if node.args[0].kind is Kind.TEXTS else "length"
            return f"CAST({name}({args[0]}) AS DOUBLE)"
        if node.name == "round":
            return f"round({args[0]}, CAST({args[1]} AS INTEGER))"
        return f"{node.name}({', '.join(args)})"


def _not_nan(sql: str) -> str:
    return f"nullif({sql}, {_NAN})"


def _literal(kind: Kind, value: Value) -> str:
    """Write a constant of a kind; what is not of that kind is NULL."""
    known: str | None
    match kind:
        case Kind.NUMBER:
            number = values.number(value)
            known = None if number is None else f"'{number!r}'"
        case Kind.TEXT:
            text = values.text(value)
            known = None if text is None else _text(text)
        case Kind.BOOLEAN:
            truth = values.boolean(value)
            known = None if truth is None else str(truth).upper()
        case Kind.TEXTS:
            texts = values.texts(value)
            known = None if texts is None else f"[{', '.join(map(_text, texts))}]"
        case _:
            ms = values.time_ms(value)
            known = None if ms is None else str(ms)
    if kind in {Kind.TEXT, Kind.BOOLEAN} and known is not None:
        return known
    return f"CAST({known or 'NULL'} AS {_STORED[kind]})"


def _text(text: str) -> str:
    """Write a text constant; a zero character, which SQL text cannot hold, is put in by its number."""
    pieces = ["'" + piece.replace("'", "''") + "'" for piece in text.split("\0")]
    return pieces[0] if len(pieces) == 1 else f"({' || chr(0) || '.join(pieces)})"
