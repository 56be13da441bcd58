"""What a rule may name: columns, profile functions, context; and the record that one-row evaluation reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol

from bespeak.rules.columns import ColumnType

BUILT_INS = ("abs", "coalesce", "contains", "floor", "greatest", "least", "length", "lower", "now", "round", "upper")
"""The functions that every rule may use, besides the schema's own."""

_RESERVED = frozenset({*BUILT_INS, "any", "date", "false", "in", "interval", "not", "null", "timestamp", "true"})

Argument = str | int | float | bool
"""A literal argument of a profile function."""

Value = float | int | str | bool | Sequence[str] | None
"""What a record or a context holds: None is NULL; timestamps are integer milliseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a profile function.

    Attributes:
        name: shown in messages.
        type: text, number or boolean.
        allowed: the texts that are allowed; empty allows any.
        is_optional: may be left out, with all that follow it.
    """

    name: str
    type: ColumnType
    allowed: tuple[str, ...] = ()
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class FunctionSignature:
    """A profile function such as `affinity('category', 'audio')`: literal arguments in, a number out.

    Attributes:
        parameters: what it takes, optional ones last.
        is_time_dependent: its result may change without an event (a window moves on, a score decays).
    """

    parameters: tuple[Parameter, ...] = ()
    is_time_dependent: bool = False

    @property
    def n_required(self) -> int:
        """How many arguments must be given."""
        return sum(not parameter.is_optional for parameter in self.parameters)


@dataclass(frozen=True, slots=True)
class Call:
    """A profile function with the arguments that stand in a rule.

    Example:
        >>> str(Call("affinity", ("category", "audio")))
        "affinity('category', 'audio')"
    """

    name: str
    args: tuple[Argument, ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.args))})"


class CallResult(NamedTuple):
    """What a profile function answered.

    Attributes:
        value: a number; None or NaN is NULL.
        holds_until_ms: the first time at which the value may differ without an event; None when only an event can
            change it. Earlier than the truth is allowed (the rule is then asked once too often), later is not.
    """

    value: float | None
    holds_until_ms: int | None = None


class Record(Protocol):
    """One row, usually a profile."""

    def get(self, column: str) -> Value:
        """Return the value of a column, None where there is none."""
        ...

    def call(self, name: str, args: tuple[Argument, ...], now_ms: int) -> CallResult:
        """Return the result of a profile function at this time."""
        ...


@dataclass(frozen=True, eq=False)
class Schema:
    """The names that a rule may use. Compared and hashed by identity, so that it can be part of a cache key.

    Attributes:
        columns: name -> type. Names are case-sensitive and may hold dots.
        functions: profile functions by lower-case name.
        open_as: the type of every other column name, or None when only `columns` are allowed.
        context: name -> type of single values that come with the request; beside columns of the same name, the
            column wins.

    Raises:
        ValueError: a function's name is taken by the language or is not a lower-case identifier.
    """

    columns: Mapping[str, ColumnType]
    functions: Mapping[str, FunctionSignature] = field(default_factory=dict)
    open_as: ColumnType | None = None
    context: Mapping[str, ColumnType] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("columns", "functions", "context"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        for name in self.functions:
            if name in _RESERVED or name != name.lower() or not name.isidentifier():
                raise ValueError(f"a profile function cannot be called {name!r}: use a free lower-case identifier")

    def knows(self, name: str) -> bool:
        """Whether the name is declared (an open schema may still accept it)."""
        return name in self.columns or name in self.context

    @property
    def names(self) -> list[str]:
        """All declared column and context names."""
        return [*self.columns, *(name for name in self.context if name not in self.columns)]
