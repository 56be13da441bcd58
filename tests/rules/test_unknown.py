"""Rules over columns that are not known yet: what cannot become right is refused now."""

from __future__ import annotations

import pytest

from bespeak.errors import RuleError
from bespeak.rules import ColumnType, Schema
from bespeak.rules.unknown import MAX_TYPED, unknown_columns

SCHEMA = Schema({"price": ColumnType.NUMBER, "available": ColumnType.BOOLEAN})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("price < 9 AND available", ()),
        ("prcie < 100", ("prcie",)),
        ("is_new", ("is_new",)),
        (
            "watts + 1 > 2 AND NOT is_new AND colour IN ('red') AND contains(tags, 'x')",
            ("watts", "is_new", "colour", "tags"),
        ),
        ("coalesce(a, b) > 5", ("a", "b")),
        ("\"two words\" = 'x'", ("two words",)),
        (" AND ".join(f"c{n} = {n}" for n in range(MAX_TYPED + 1)), tuple(f"c{n}" for n in range(MAX_TYPED + 1))),
    ],
)
def test_names_that_may_still_come_are_told(text, names):
    assert unknown_columns(text, SCHEMA) == names


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("price <", 7),
        ("price < 'x'", 0),
        ("colour = 'red' AND price < 'x'", 19),
        ("watts > 5 AND watts = 'x'", 14),
        ("foo(3)", 0),
        ("colour = 'red' OR", 17),
        ("DROP TABLE items", 0),
    ],
)
def test_what_no_column_can_mend_is_refused_with_its_position(text, position):
    with pytest.raises(RuleError) as refused:
        unknown_columns(text, SCHEMA)
    assert refused.value.position == position
