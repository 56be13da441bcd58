"""The typed tree of a checked rule: small, frozen, and the only thing that evaluators read.

Whatever SQL allows to be written in several ways has one node here (`BETWEEN` is two comparisons, `tags = 'x'` is
`Contains`), and every node has a `kind`, so that evaluators never meet a type error.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bespeak.rules.columns import ColumnType
from bespeak.rules.schema import Call


class Kind(StrEnum):
    """The type of an expression: the column types, spans of time, and the bare NULL before it meets a typed partner."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    TEXTS = "texts"
    DURATION = "duration"
    NULL = "NULL"

    @classmethod
    def of(cls, column_type: ColumnType) -> Kind:
        """Return the kind of a column's values."""
        return cls(column_type.value)


TIMES = frozenset({Kind.TIMESTAMP, Kind.DURATION})
"""Kinds that are integer milliseconds."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. Value: float, str, bool, or int (milliseconds) by kind; None is NULL."""

    kind: Kind
    value: float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the rows."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Context:
    """A single value that comes with the request."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class ProfileCall:
    """A profile function; always a number."""

    call: Call
    is_time_dependent: bool
    kind: Kind = Kind.NUMBER


@dataclass(frozen=True, slots=True)
class Now:
    """The time of the evaluation."""

    kind: Kind = Kind.TIMESTAMP


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left op right` with op one of + - * /; on times only + and -."""

    kind: Kind
    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Function:
    """A built-in function by lower-case name."""

    kind: Kind
    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op right` with op one of = != < <= > >=; both sides are numbers, texts, timestamps or durations."""

    op: str
    left: Node
    right: Node
    kind: Kind = Kind.BOOLEAN


@dataclass(frozen=True, slots=True)
class SameTruth:
    """`left = right` of two booleans."""

    left: Node
    right: Node
    kind: Kind = Kind.BOOLEAN


@dataclass(frozen=True, slots=True)
class In:
    """A number or text among literals; `has_null` says that NULL stood among them too."""

    operand: Node
    values: tuple[float | str, ...]
    has_null: bool
    kind: Kind = Kind.BOOLEAN


@dataclass(frozen=True, slots=True)
class Like:
    """A text matches a pattern in which % is any text and _ any one character; a NULL pattern answers NULL."""

    operand: Node
    pattern: str | None
    ignores_case: bool
    kind: Kind = Kind.BOOLEAN


@dataclass(frozen=True, slots=True)
class Contains:
    """A list of texts holds a text; at least one of the two is the same for all rows."""

    texts: Node
    text: Node
    kind: Kind = Kind.BOOLEAN


@dataclass(frozen=True, slots=True)
class IsNull:
    """The operand is NULL; never NULL itself."""

    operand: Node
    kind: Kind = Kind.BOOLEAN


@dataclass(frozen=True, slots=True)
class IsTruth:
    """A boolean is TRUE (or FALSE); never NULL itself."""

    operand: Node
    value: bool
    kind: Kind = Kind.BOOLEAN


@dataclass(frozen=True, slots=True)
class Not:
    """Negation; NULL stays NULL."""

    operand: Node
    kind: Kind = Kind.BOOLEAN


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    operands: tuple[Node, ...]
    kind: Kind = Kind.BOOLEAN


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    operands: tuple[Node, ...]
    kind: Kind = Kind.BOOLEAN


Node = (
    Literal
    | Column
    | Context
    | ProfileCall
    | Now
    | Arithmetic
    | Function
    | Compare
    | SameTruth
    | In
    | Like
    | Contains
    | IsNull
    | IsTruth
    | Not
    | And
    | Or
)


def children(node: Node) -> tuple[Node, ...]:
    """Return the direct operands of a node, from left to right."""
    match node:
        case Arithmetic() | Compare() | SameTruth():
            return (node.left, node.right)
        case Function():
            return node.args
        case Contains():
            return (node.texts, node.text)
        case In() | Like() | IsNull() | IsTruth() | Not():
            return (node.operand,)
        case And() | Or():
            return node.operands
        case _:
            return ()


def walk(node: Node) -> list[Node]:
    """Return the node and everything below it, parents before their operands, from left to right."""
    found: list[Node] = []
    waiting = [node]
    while waiting:
        current = waiting.pop()
        found.append(current)
        waiting.extend(reversed(children(current)))
    return found
