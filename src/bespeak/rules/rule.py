"""A checked rule, and its three ways to be evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bespeak.rules import single, vectorised
from bespeak.rules.columns import Columns
from bespeak.rules.nodes import Column, Context, Node, Now, ProfileCall, walk
from bespeak.rules.parse import tree_of
from bespeak.rules.schema import Call, Record, Schema, Value
from bespeak.rules.single import Verdict
from bespeak.rules.sql import SqlWriter, no_function, quoted

_NO_CONTEXT: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Rule:
    """A boolean expression that was checked against a schema; made by `parse`.

    The three evaluations agree: `mask` over columns, `test` and `verdict` for one record, `sql` as text for DuckDB.
    All follow SQL's three-valued logic inside, and an answer of NULL does not hold. NaN counts as NULL, and so does a
    value of another type than the schema says. Equal and hashed by text and tree.

    Attributes:
        text: what was parsed.
        tree: the checked expression.
    """

    text: str
    tree: Node = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rule) and (self.text, self.tree) == (other.text, other.tree)

    def __hash__(self) -> int:
        return hash(self.text)

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns that are read."""
        return frozenset(node.name for node in walk(self.tree) if isinstance(node, Column))

    @cached_property
    def context(self) -> frozenset[str]:
        """The context names that are read."""
        return frozenset(node.name for node in walk(self.tree) if isinstance(node, Context))

    @cached_property
    def functions(self) -> tuple[Call, ...]:
        """The profile functions that are called, each once, in order of appearance."""
        return tuple(dict.fromkeys(node.call for node in walk(self.tree) if isinstance(node, ProfileCall)))

    @cached_property
    def uses_now(self) -> bool:
        """Whether `now()` stands in it."""
        return any(isinstance(node, Now) for node in walk(self.tree))

    @cached_property
    def is_time_dependent(self) -> bool:
        """Whether the answer for an unchanged record may change with time."""
        moves = (node.is_time_dependent for node in walk(self.tree) if isinstance(node, ProfileCall))
        return self.uses_now or any(moves)

    @cached_property
    def _evaluate(self) -> single.Evaluate:
        return single.compiled(self.tree)

    def mask(
        self,
        columns: Columns,
        now_ms: int,
        context: Mapping[str, Value] = _NO_CONTEXT,
        record: Record | None = None,
    ) -> NDArray[np.bool_]:
        """Return bool[n_rows]: the rows that the rule holds for.

        A column that is missing, or of another type than declared, is NULL in all rows. The array is
        the caller's own.

        Args:
            columns: the rows.
            now_ms: the time of `now()`.
            context: values that are the same for all rows; a missing name is NULL.
            record: answers profile functions, for instance when one person's candidates are filtered.

        Raises:
            RuleError: the rule calls a profile function and there is no record.
        """
        return vectorised.mask_of(self.tree, columns, now_ms, context, record)

    def test(self, record: Record, now_ms: int, context: Mapping[str, Value] = _NO_CONTEXT) -> bool:
        """Whether the rule holds for one record."""
        return self.verdict(record, now_ms, context).holds

    def verdict(self, record: Record, now_ms: int, context: Mapping[str, Value] = _NO_CONTEXT) -> Verdict:
        """Whether the rule holds for one record, and the earliest time at which that may change without an event."""
        return single.verdict(self._evaluate, record, now_ms, context)

    def sql(
        self,
        column_sql: Callable[[str], str] = quoted,
        function_sql: Callable[[Call], str] = no_function,
        *,
        now_ms: int | None = None,
        context: Mapping[str, Value] = _NO_CONTEXT,
    ) -> str:
        """Return the rule as a DuckDB expression, TRUE where it holds and FALSE elsewhere.

        Columns are expected as numbers, VARCHAR, BOOLEAN, BIGINT (milliseconds) and VARCHAR[].

        Args:
            column_sql: how a column is written; quoted by its own name unless told.
            function_sql: how a profile function is written, as a number.
            now_ms: the time of `now()`, written in; without it the parameter `$now_ms` stands there (only in rules
                whose `uses_now` says so), for the caller to bind.
            context: values of context names, written in; a missing name is NULL.

        Raises:
            RuleError: the rule calls a profile function that `function_sql` does not know.

        Example:
            >>> from bespeak.rules import ColumnType, Schema, parse
            >>> rule = parse("brand = 'Teufel'", Schema({"brand": ColumnType.TEXT}))
            >>> rule.sql()
            'coalesce((CAST("brand" AS VARCHAR) = \\'Teufel\\'), FALSE)'
        """
        now_sql = "$now_ms" if now_ms is None else str(int(now_ms))
        return f"coalesce({SqlWriter(column_sql, function_sql, now_sql, context).write(self.tree)}, FALSE)"


def parse(text: str, schema: Schema) -> Rule:
    """Return the rule that an expression means.

    Nothing is ever evaluated as Python or handed to a database as typed.

    Raises:
        RuleError: with the position and, for an unknown name, the allowed ones.

    Example:
        >>> from bespeak.rules import ColumnType, Schema
        >>> schema = Schema({"price": ColumnType.NUMBER, "tags": ColumnType.TEXTS})
        >>> sorted(parse("price < 100 AND tags = 'new'", schema).columns)
        ['price', 'tags']
        >>> parse("pric < 100", schema)
        Traceback (most recent call last):
        bespeak.errors.RuleError: There is no column 'pric' (at position 0). Did you mean 'price'? Allowed: price, tags.
    """
    return Rule(text, tree_of(text, schema))
