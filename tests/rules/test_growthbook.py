"""Rules as conditions: GrowthBook's own evaluator answers as ours, whatever the attributes hold."""

from __future__ import annotations

from typing import Any

import pytest
from growthbook.core import evalCondition
from hypothesis import given, settings
from hypothesis import strategies as st

from bespeak.errors import RuleError
from bespeak.rules import ColumnType, FunctionSignature, Schema, parse
from bespeak.rules.growthbook import Attribute, condition

SCHEMA = Schema(
    {"orders": ColumnType.NUMBER},
    {"bought": FunctionSignature()},
    context={
        "plan": ColumnType.TEXT,
        "city": ColumnType.TEXT,
        "seats": ColumnType.NUMBER,
        "is_new": ColumnType.BOOLEAN,
        "campaign": ColumnType.TEXT,
    },
)
ATTRIBUTES = {
    "plan": Attribute("plan", may_be_empty=True),
    "city": Attribute("city"),
    "seats": Attribute("seats"),
    "is_new": Attribute("is_new"),
    "campaign": Attribute("campaign.name"),
}
ATOMS = (
    "plan = 'pro'", "plan <> 'pro'", "plan < 'm'", "plan >= 'm'", "'m' > plan", "plan IN ('pro', 'free')", "plan = ''",
    "plan NOT IN ('pro', NULL)", "plan LIKE 'p%'", "plan LIKE '%.o/%'", "plan NOT LIKE '%o'", "plan IS NULL",
    "plan = NULL", "city = ''", "city <> 'Köln'", "city IN ('', 'Köln')", "city LIKE '%ö%'", "city IS NOT NULL",
    "city LIKE 'a'", "seats = 3", "seats <> 3", "3 < seats", "seats BETWEEN 2 AND 4", "seats IN (1, 3)",
    "seats NOT IN (1, 3)", "seats IS NULL", "is_new", "NOT is_new", "is_new IS TRUE", "is_new IS NOT FALSE",
    "is_new = (seats > 2)", "campaign = 'spring'", "campaign IS NULL", "TRUE", "FALSE",
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        "pro",
        "free",
        "m",
        "",
        "Köln",
        "a",
        "a\n",
        "p.o/x",
        "3",
        3,
        3.0,
        0,
        1,
        2.5,
        -1,
        True,
        False,
        None,
        ["pro"],
        {"a": 1},
    ]
)


@st.composite
def rules(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=4))
    text = parts[0]
    for part in parts[1:]:
        text = f"({text}) {draw(st.sampled_from(['AND', 'OR']))} ({part})"
    return f"NOT ({text})" if draw(st.booleans()) else text


@st.composite
def attributes(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = draw(st.dictionaries(st.sampled_from(["plan", "city", "seats", "is_new"]), VALUES))
    if draw(st.booleans()):
        made["campaign"] = draw(st.one_of(VALUES, st.fixed_dictionaries({"name": VALUES})))
    return made


def known(given_attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes as the server reads them into a context."""
    campaign = given_attributes.get("campaign")
    context = {**given_attributes, "campaign": campaign.get("name") if isinstance(campaign, dict) else None}
    return {name: None if value == "" and name != "plan" else value for name, value in context.items()}


class Nobody:
    """A record without columns."""

    def get(self, column: str) -> None:
        return None

    def call(self, name: str, args: Any, now_ms: int) -> Any:
        raise AssertionError(name)


@settings(max_examples=1_500, deadline=None)
@given(text=rules(), given_attributes=attributes())
def test_a_condition_holds_exactly_where_its_rule_does(text: str, given_attributes: dict[str, Any]) -> None:
    rule = parse(text, SCHEMA)
    assert evalCondition(given_attributes, condition(rule, ATTRIBUTES)) is rule.test(
        Nobody(), 0, known(given_attributes)
    )


@pytest.mark.parametrize("attribute", [None, 3, True, "pro", ["pro"]])
@pytest.mark.parametrize("atom", ATOMS)
def test_each_form_answers_for_every_type(atom: str, attribute: Any) -> None:
    rule = parse(atom, SCHEMA)
    values = dict.fromkeys(("plan", "city", "seats", "is_new"), attribute)
    assert evalCondition(values, condition(rule, ATTRIBUTES)) is rule.test(Nobody(), 0, known(values))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("orders > 2", "orders"),
        ("bought() = 1", "bought"),
        ("lower(plan) = 'pro'", "lower"),
        ("plan = city", "city"),
        ("seats + 1 > 2", "seats"),
        ("plan ILIKE 'p%'", "ILIKE"),
        ("plan LIKE 'p_o'", "ILIKE"),
        ("plan > 'ä'", "ASCII"),
        ("seats = 3 OR orders > 2", "orders"),
    ],
)
def test_what_an_sdk_cannot_answer_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(RuleError, match=named):
        condition(parse(text, SCHEMA), ATTRIBUTES)


def test_a_name_that_the_sdk_has_no_attribute_for_is_refused() -> None:
    with pytest.raises(RuleError, match="seats"):
        condition(parse("seats = 3", SCHEMA), {"plan": Attribute("plan")})
