"""What a rule tells about itself, and how it treats what is missing."""

import dataclasses

import numpy as np
import pytest

from bespeak.errors import RuleError
from bespeak.rules import (
    Call,
    CallResult,
    Columns,
    ColumnType,
    FunctionSignature,
    NumberColumn,
    Parameter,
    Schema,
    TextColumn,
    TextsColumn,
    Value,
    parse,
)

SCHEMA = Schema(
    {"price": ColumnType.NUMBER, "brand": ColumnType.TEXT, "seen": ColumnType.TIMESTAMP, "tags": ColumnType.TEXTS},
    {
        "affinity": FunctionSignature((Parameter("facet", ColumnType.TEXT), Parameter("value", ColumnType.TEXT))),
        "recent": FunctionSignature((Parameter("days", ColumnType.NUMBER),), is_time_dependent=True),
    },
    context={"context.brand": ColumnType.TEXT},
)
EMPTY = Columns({}, n_rows=3)


class Profile:
    """Holds wrong types everywhere, and one affinity."""

    def get(self, column: str) -> Value:
        return {"price": "12", "brand": 3, "seen": 1.5, "tags": "sale"}.get(column)

    def call(self, name: str, args: tuple[object, ...], now_ms: int) -> CallResult:
        return CallResult(0.5 if args == ("brand", "x") else None)


def test_a_rule_names_what_it_reads() -> None:
    rule = parse(
        "price < 3 AND brand = context.brand"
        " AND affinity('brand', 'x') > affinity('brand', 'y') * affinity('brand','x')",
        SCHEMA,
    )
    assert rule.columns == {"price", "brand"}
    assert rule.context == {"context.brand"}
    assert rule.functions == (Call("affinity", ("brand", "x")), Call("affinity", ("brand", "y")))


@pytest.mark.parametrize(
    ("text", "uses_now", "is_time_dependent"),
    [
        ("price < 3", False, False),
        ("seen < '2026-01-01'", False, False),
        ("seen < now()", True, True),
        ("recent(30) > 1", False, True),
        ("affinity('a', 'b') > 1", False, False),
    ],
)
def test_a_rule_knows_whether_time_moves_it(text: str, uses_now: bool, is_time_dependent: bool) -> None:
    rule = parse(text, SCHEMA)
    assert (rule.uses_now, rule.is_time_dependent) == (uses_now, is_time_dependent)


def test_rules_are_equal_by_text_and_meaning_and_cannot_be_changed() -> None:
    one, same, other = (parse(text, SCHEMA) for text in ("price < 3", "price < 3", "price < 4"))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != parse("price < 3", Schema({}, open_as=ColumnType.NUMBER, context={"price": ColumnType.NUMBER}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.text = "TRUE"  # type: ignore[misc]


def test_a_missing_column_is_null_in_all_rows() -> None:
    for text in ("price < 3", "NOT price < 3", "brand = 'x'", "brand LIKE '%'", "seen < now()", "tags = 'x'"):
        assert parse(text, SCHEMA).mask(EMPTY, 0).tolist() == [False] * 3
    for column in ("price", "brand", "seen", "tags"):
        assert parse(f"{column} IS NULL", SCHEMA).mask(EMPTY, 0).tolist() == [True] * 3


def test_a_value_of_another_type_is_null() -> None:
    columns = Columns({"price": TextColumn.from_values(["1"]), "brand": NumberColumn.from_values([1])}, n_rows=1)
    for column in ("price", "brand", "seen", "tags"):
        rule = parse(f"{column} IS NULL", SCHEMA)
        assert rule.test(Profile(), 0)
        assert rule.mask(columns, 0).tolist() == [True]


def test_a_rule_that_is_the_same_for_all_rows_has_a_mask_of_full_length() -> None:
    for text in ("TRUE", "1 / 2 = 0.5", "round(2.5) = 3", "abs(-1) IN (1, 2)", "'a' = 'a'", "context.brand = 'x'"):
        mask = parse(text, SCHEMA).mask(EMPTY, 0, {"context.brand": "x"})
        assert mask.tolist() == [True] * 3, text
        assert mask.dtype == np.bool_
    assert parse("TRUE", SCHEMA).mask(Columns({}, n_rows=0), 0).tolist() == []


def test_a_mask_can_be_written_to_without_touching_the_columns() -> None:
    columns = Columns({"price": NumberColumn.from_values([1]), "tags": TextsColumn.from_values([["a"]])}, n_rows=1)
    rule = parse("tags IS NOT NULL", SCHEMA)
    rule.mask(columns, 0)[:] = False
    assert rule.mask(columns, 0).tolist() == [True]


def test_a_mask_asks_the_profile_functions_of_one_person() -> None:
    columns = Columns({"price": NumberColumn.from_values([0.1, 0.9, None])}, n_rows=3)
    rule = parse("price < affinity('brand', 'x')", SCHEMA)
    assert rule.mask(columns, 0, record=Profile()).tolist() == [True, False, False]
    assert parse("affinity('brand', 'y') IS NULL", SCHEMA).mask(columns, 0, record=Profile()).all()
    with pytest.raises(RuleError, match="needs a profile"):
        rule.mask(columns, 0)


def test_sql_is_written_over_the_callers_columns_and_functions() -> None:
    rule = parse("price < 3 AND affinity('brand', 'it''s') > 0.5 AND seen < now()", SCHEMA)
    sql = rule.sql(lambda name: f"t.c_{name}", lambda call: f"f_{call.name}_{len(call.args)}")
    assert "CAST(t.c_price AS DOUBLE)" in sql
    assert "CAST(f_affinity_2 AS DOUBLE)" in sql
    assert "$now_ms" in sql
    assert "$now_ms" not in rule.sql(function_sql=str, now_ms=5)
    with pytest.raises(RuleError, match="no SQL form"):
        rule.sql()


def test_sql_cannot_be_broken_out_of() -> None:
    hostile = "x'; DROP TABLE rows; --"
    rule = parse("""brand = 'x''; DROP TABLE rows; --' OR brand = context.brand""", SCHEMA)
    sql = rule.sql(context={"context.brand": hostile})
    assert sql.count("'x''; DROP TABLE rows; --'") == 2
    wide = parse('"a"" = 1; --" = 1', Schema({}, open_as=ColumnType.NUMBER))
    assert '"a"" = 1; --"' in wide.sql()
