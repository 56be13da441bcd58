"""Evaluate a rule over all rows at once, with NumPy.

How each kind is represented while it is being worked on (a plain scalar stands for "the same in all rows"):

- numbers: float64, NaN is NULL, so arithmetic carries NULL by itself;
- times and spans: int64 milliseconds beside a mask of what is known;
- texts: codes into a list of values, so functions and comparisons run once a distinct value, then index;
- booleans: two masks, where it is true and where it is false; NULL is neither. Three-valued logic is then plain
  set algebra: AND is (true & true, false | false), NOT swaps the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from bespeak.errors import RuleError
from bespeak.rules import values
from bespeak.rules.columns import (
    BooleanColumn,
    Columns,
    NumberColumn,
    TextColumn,
    TextsColumn,
    TimestampColumn,
)
from bespeak.rules.nodes import (
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
from bespeak.rules.vectors import (
    MIRRORED,
    ORDER,
    UNKNOWN,
    Mask,
    Numbers,
    Texts,
    Times,
    Truth,
    all_true,
    chosen,
    compare_codes,
    compare_with_constant,
    first_known_text,
    first_known_truth,
    nan_if_none,
    opposite,
    rounded,
)


def mask_of(
    root: Node, columns: Columns, now_ms: int, context: Mapping[str, Value], record: Record | None
) -> NDArray[np.bool_]:
    """Return bool[n_rows]: where the rule is true."""
    evaluation = _Evaluation(columns, now_ms, context, record)
    with np.errstate(all="ignore"):
        true = evaluation.truth(root).true
    if isinstance(true, np.ndarray) and true.ndim == 1:
        # `tags IS NOT NULL` is a column's own array; callers may go on masking in place.
        return true.copy()
    return np.full(columns.n_rows, bool(true), dtype=np.bool_)


class _Evaluation:
    """One rule over one snapshot at one time."""

    def __init__(self, columns: Columns, now_ms: int, context: Mapping[str, Value], record: Record | None) -> None:
        self.columns = columns
        self.now_ms = now_ms
        self.context = context
        self.record = record

    # -- booleans

    def truth(self, node: Node) -> Truth:
        """Return where a boolean expression is true and where it is false."""
        match node:
            case And():
                found = all_true([self.truth(each) for each in node.operands])
            case Or():
                found = opposite(all_true([opposite(self.truth(each)) for each in node.operands]))
            case Not():
                found = opposite(self.truth(node.operand))
            case SameTruth():
                one, other = self.truth(node.left), self.truth(node.right)
                found = Truth(
                    (one.true & other.true) | (one.false & other.false),
                    (one.true & other.false) | (one.false & other.true),
                )
            case Function():
                found = first_known_truth([self.truth(arg) for arg in node.args])
            case IsNull():
                known = self._known(node.operand)
                found = Truth(~known, known)
            case IsTruth():
                true, false = self.truth(node.operand)
                is_so = true if node.value else false
                found = Truth(is_so, ~is_so)
            case _:
                found = self._atom(node)
        return found

    def _atom(self, node: Node) -> Truth:
        match node:
            case Compare():
                found = self._compare(node)
            case In():
                found = self._membership(node)
            case Like():
                found = self._like(node)
            case Contains():
                found = self._contains(node)
            case Column():
                column = self.columns.get(node.name)
                found = UNKNOWN
                if isinstance(column, BooleanColumn):
                    found = Truth(column.values & column.valid, ~column.values & column.valid)
            case _:
                value = values.boolean(self._scalar(node))
                found = UNKNOWN if value is None else Truth(np.bool_(value), np.bool_(not value))
        return found

    def _known(self, node: Node) -> Mask:
        match node.kind:
            case Kind.NUMBER:
                known = cast(Mask, ~np.isnan(self.numbers(node)))
            case Kind.TIMESTAMP | Kind.DURATION:
                known = self.times(node).known
            case Kind.TEXT:
                texts = self.texts(node)
                known = texts.codes >= 0 if isinstance(texts, Texts) else np.bool_(texts is not None)
            case Kind.TEXTS if isinstance(node, Column):
                column = self.columns.get(node.name)
                known = column.valid if isinstance(column, TextsColumn) else np.False_
            case Kind.TEXTS:
                known = np.bool_(values.texts(self._scalar(node)) is not None)
            case Kind.BOOLEAN:
                true, false = self.truth(node)
                known = true | false
            case _:
                known = np.False_
        return known

    def _compare(self, node: Compare) -> Truth:
        match node.left.kind:
            case Kind.NUMBER:
                one, other = self.numbers(node.left), self.numbers(node.right)
                if node.op in ORDER:
                    is_so, is_not = ORDER[node.op]
                    return Truth(is_so(one, other), is_not(one, other))
                # `!=` of NumPy is true beside NaN; less-or-greater is not.
                same = Truth(np.equal(one, other), np.less(one, other) | np.greater(one, other))
                return same if node.op == "=" else opposite(same)
            case Kind.TEXT:
                return self._compare_texts(node.op, self.texts(node.left), self.texts(node.right))
            case _:
                one_time, other_time = self.times(node.left), self.times(node.right)
                known = one_time.known & other_time.known
                is_so = values.COMPARE[node.op](one_time.ms, other_time.ms)
                return Truth(is_so & known, ~is_so & known)

    def _compare_texts(self, op: str, one: Texts | str | None, other: Texts | str | None) -> Truth:
        if one is None or other is None:
            return UNKNOWN
        if isinstance(one, Texts) and isinstance(other, Texts):
            return compare_codes(op, one, other)
        if isinstance(one, Texts):
            assert isinstance(other, str)
            return compare_with_constant(op, one, other)
        if isinstance(other, Texts):
            return compare_with_constant(MIRRORED[op], other, one)
        is_so = np.bool_(values.COMPARE[op](one, other))
        return Truth(is_so, ~is_so)

    def _membership(self, node: In) -> Truth:
        if node.operand.kind is Kind.NUMBER:
            operand = self.numbers(node.operand)
            true: Mask = np.isin(operand, np.array(node.values, dtype=np.float64))
            false: Mask = ~true & ~np.isnan(operand)
        else:
            texts, wanted = self.texts(node.operand), frozenset(node.values)
            if isinstance(texts, Texts):
                true, false = texts.where(("in", wanted), wanted.__contains__)
            else:
                true, false = np.bool_(texts in wanted), np.bool_(texts is not None and texts not in wanted)
        return Truth(true, np.False_ if node.has_null else false)

    def _like(self, node: Like) -> Truth:
        texts = self.texts(node.operand)
        if node.pattern is None or texts is None:
            return UNKNOWN
        pattern = Pattern(node.pattern, node.ignores_case)
        if isinstance(texts, Texts):
            return texts.where(pattern, pattern.matches)
        is_so = np.bool_(pattern.matches(texts))
        return Truth(is_so, ~is_so)

    def _contains(self, node: Contains) -> Truth:
        text = self.texts(node.text)
        if isinstance(node.texts, Column):
            column = self.columns.get(node.texts.name)
            if not isinstance(column, TextsColumn) or not isinstance(text, str):
                return UNKNOWN
            held = column.holds(text)
            return Truth(held, column.valid & ~held)
        wanted = values.texts(self._scalar(node.texts))
        if wanted is None or text is None:
            return UNKNOWN
        among = frozenset(wanted)
        if isinstance(text, Texts):
            return text.where(("in", among), among.__contains__)
        return Truth(np.bool_(text in among), np.bool_(text not in among))

    # -- numbers

    def numbers(self, node: Node) -> Numbers:
        """Return numbers, NaN where NULL."""
        match node:
            case Column():
                column = self.columns.get(node.name)
                return column.values if isinstance(column, NumberColumn) else np.float64(np.nan)
            case Arithmetic():
                one, other = self.numbers(node.left), self.numbers(node.right)
                if node.op == "/":
                    other = cast(Numbers, np.where(np.equal(other, 0), np.nan, other))
                return cast(Numbers, values.ARITHMETIC[node.op](one, other))
            case Function():
                return self._number_function(node)
            case ProfileCall():
                return nan_if_none(values.number(self._called(node)))
            case _:
                return nan_if_none(values.number(self._scalar(node)))

    def _number_function(self, node: Function) -> Numbers:
        if node.name == "length":
            return self._lengths(node.args[0])
        args = [self.numbers(arg) for arg in node.args]
        match node.name:
            case "abs":
                return cast(Numbers, np.abs(args[0]))
            case "floor":
                return cast(Numbers, np.floor(args[0]))
            case "round":
                return rounded(args[0], int(args[1]))
        result = args[0]
        for arg in args[1:]:
            match node.name:
                case "least":
                    result = np.fmin(result, arg)
                case "greatest":
                    result = np.fmax(result, arg)
                case _:
                    result = cast(Numbers, np.where(np.isnan(result), arg, result))
        return result

    def _lengths(self, node: Node) -> Numbers:
        if node.kind is Kind.TEXTS:
            column = self.columns.get(node.name) if isinstance(node, Column) else None
            if isinstance(column, TextsColumn):
                return np.where(column.valid, np.diff(column.indptr).astype(np.float64), np.nan)
            listed = None if isinstance(node, Column) else values.texts(self._scalar(node))
            return np.float64(np.nan if listed is None else len(listed))
        texts = self.texts(node)
        if not isinstance(texts, Texts):
            return np.float64(np.nan if texts is None else len(texts))
        table = texts.remembered("length", lambda: np.array([*map(len, texts.values), np.nan], dtype=np.float64))
        return cast(Numbers, table[texts.codes])

    # -- times

    def times(self, node: Node) -> Times:
        """Return times or spans of time."""
        match node:
            case Now():
                return Times(np.int64(self.now_ms), np.True_)
            case Column():
                column = self.columns.get(node.name)
                if isinstance(column, TimestampColumn):
                    return Times(column.values, column.valid)
                return Times(np.int64(0), np.False_)
            case Arithmetic():
                one, other = self.times(node.left), self.times(node.right)
                ms = one.ms + other.ms if node.op == "+" else one.ms - other.ms
                return Times(cast(NDArray[np.int64], ms), one.known & other.known)
            case Function():
                result, *rest = [self.times(arg) for arg in node.args]
                for other in rest:
                    result = chosen(node.name, result, other)
                return result
            case _:
                value = values.time_ms(self._scalar(node))
                return Times(np.int64(value or 0), np.bool_(value is not None))

    # -- texts

    def texts(self, node: Node) -> Texts | str | None:
        """Return texts; a plain text or None is the same in all rows."""
        match node:
            case Column():
                column = self.columns.get(node.name)
                return Texts(column.codes, column.vocabulary, column) if isinstance(column, TextColumn) else None
            case Function(name="lower" | "upper"):
                change = lower if node.name == "lower" else upper
                text = self.texts(node.args[0])
                if isinstance(text, Texts):
                    return text.mapped(node.name, change)
                return None if text is None else change(text)
            case Function():
                result = self.texts(node.args[0])
                for arg in node.args[1:]:
                    result = first_known_text(result, self.texts(arg))
                return result
            case _:
                return values.text(self._scalar(node))

    # -- what is the same for all rows

    def _scalar(self, node: Node) -> Value:
        if isinstance(node, Literal):
            return node.value
        assert isinstance(node, Context), "the parser lets nothing else through"
        return self.context.get(node.name)

    def _called(self, node: ProfileCall) -> float | None:
        if self.record is None:
            raise RuleError(
                f"The rule calls {node.call}, which needs a profile.",
                hint="Give mask() the record of the person that it is evaluated for.",
            )
        return self.record.call(node.call.name, node.call.args, self.now_ms).value
