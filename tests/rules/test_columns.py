"""Columns keep NULL apart from values, and what is worked out over a vocabulary."""

import numpy as np
import pytest

from bespeak.rules import (
    BooleanColumn,
    Columns,
    ColumnType,
    NumberColumn,
    Schema,
    TextColumn,
    TextsColumn,
    TimestampColumn,
    parse,
)


def test_numbers_read_null_from_the_validity_flags_too() -> None:
    column = NumberColumn(np.array([1.0, 2.0]), np.array([True, False]))
    assert np.isnan(column.values).tolist() == [False, True]


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="equal length"):
        NumberColumn(np.zeros(2), np.ones(3, dtype=bool))
    with pytest.raises(ValueError, match="equal length"):
        TextsColumn(np.array([0, 1]), np.zeros(1, dtype=np.int32), ("a",), np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match="n_rows"):
        Columns({"price": NumberColumn.from_values([1])}, n_rows=2)


def test_builders_keep_null_apart_from_empty_false_and_zero() -> None:
    assert TextColumn.from_values(["", None]).codes.tolist() == [0, -1]
    assert BooleanColumn.from_values([False, None]).valid.tolist() == [True, False]
    assert TimestampColumn.from_values([0, None]).valid.tolist() == [True, False]
    assert TextsColumn.from_values([[], None]).valid.tolist() == [True, False]
    assert len(TextsColumn.from_values([])) == 0


def test_lists_find_their_rows_across_empty_and_null_ones() -> None:
    column = TextsColumn.from_values([None, [], ["a"], [], ["b", "a", "a"], None, ["b"], []])
    assert np.flatnonzero(column.holds("a")).tolist() == [2, 4]
    assert np.flatnonzero(column.holds("b")).tolist() == [4, 6]
    assert not column.holds("c").any()


def test_a_row_mapping_without_the_name_is_null() -> None:
    columns = Columns.from_values(dict.fromkeys("ab", ColumnType.TEXTS), [{"a": ["x"]}, {}])
    assert columns["a"].valid.tolist() == [True, False]  # type: ignore[union-attr]
    assert columns["b"].valid.tolist() == [False, False]  # type: ignore[union-attr]
    assert len(columns) == 2


def test_what_was_worked_out_over_a_vocabulary_is_kept_within_bounds() -> None:
    column = TextColumn.from_values(["a", "b", None, "ab"])
    built: list[int] = []
    for number in [*range(1000), 999]:
        assert column.remembered(number, lambda number=number: built.append(number) or number) == number
    assert built == list(range(1000))
    assert len(column._memo) <= 256


def test_a_remembered_match_is_not_mistaken_for_another() -> None:
    columns = Columns({"brand": TextColumn.from_values(["Ab", "b", None, "AB", "ab"])}, n_rows=5)
    schema = Schema({"brand": ColumnType.TEXT})
    expected = {
        "brand LIKE 'a%'": [4],
        "brand ILIKE 'a%'": [0, 3, 4],
        "lower(brand) LIKE 'a%'": [0, 3, 4],
        "upper(brand) LIKE 'a%'": [],
        "brand = 'ab'": [4],
        "lower(brand) = 'ab'": [0, 3, 4],
        "upper(lower(brand)) = 'AB'": [0, 3, 4],
        "brand IN ('ab')": [4],
        "lower(brand) IN ('ab')": [0, 3, 4],
        "brand <= 'a'": [0, 3],
        "brand < 'ab'": [0, 3],
        "brand <= 'ab'": [0, 3, 4],
        "length(brand) = 2": [0, 3, 4],
    }
    for _ in range(2):
        for text, rows in expected.items():
            assert np.flatnonzero(parse(text, schema).mask(columns, 0)).tolist() == rows, text
