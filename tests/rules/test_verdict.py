"""Until when an answer holds without an event."""

from typing import Any

import pytest

from bespeak.rules import CallResult, ColumnType, FunctionSignature, Parameter, Schema, parse

NOW_MS = 1_000_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SCHEMA = Schema(
    {
        "seen": ColumnType.TIMESTAMP,
        "due": ColumnType.TIMESTAMP,
        "live": ColumnType.BOOLEAN,
        "dead": ColumnType.BOOLEAN,
        "none": ColumnType.BOOLEAN,
    },
    {
        "count": FunctionSignature(
            (Parameter("event", ColumnType.TEXT), Parameter("days", ColumnType.NUMBER)), is_time_dependent=True
        ),
        "total": FunctionSignature((Parameter("event", ColumnType.TEXT),)),
    },
)


class Person:
    """Seen a day ago, due in a day, two views that leave the window in an hour."""

    def __init__(self) -> None:
        self.columns = {"seen": NOW_MS - DAY_MS, "due": NOW_MS + DAY_MS, "live": True, "dead": False}
        self.calls: list[tuple[str, tuple[Any, ...], int]] = []

    def get(self, column: str) -> Any:
        return self.columns.get(column)

    def call(self, name: str, args: tuple[Any, ...], now_ms: int) -> CallResult:
        self.calls.append((name, args, now_ms))
        return CallResult(None if args[0] == "nothing" else 2, NOW_MS + HOUR_MS)


@pytest.mark.parametrize(
    ("text", "holds", "flips_in_ms"),
    [
        # a time is passed: exactly then, and one millisecond later for the strict side
        ("seen < now() - INTERVAL '30' DAY", False, 29 * DAY_MS + 1),
        ("seen <= now() - INTERVAL '30' DAY", False, 29 * DAY_MS),
        ("seen >= now() - INTERVAL '30' DAY", True, 29 * DAY_MS + 1),
        ("seen > now() - INTERVAL '30' DAY", True, 29 * DAY_MS),
        ("NOT seen > now() - INTERVAL '30' DAY", False, 29 * DAY_MS),
        ("due > now()", True, DAY_MS),
        ("due < now()", False, DAY_MS + 1),
        ("due = now()", False, DAY_MS),
        ("due <> now()", True, DAY_MS),
        ("now() - seen > INTERVAL '2' DAY", False, DAY_MS + 1),
        ("now() BETWEEN seen AND due", True, DAY_MS + 1),
        ("seen = now() - INTERVAL '1' DAY", True, 1),
        ("seen <= now() - INTERVAL '1' DAY", True, None),
        ("seen < now() - INTERVAL '1' DAY", False, 1),
        # already past, or without the clock: never
        ("seen < now()", True, None),
        ("seen < due", True, None),
        ("seen < '2030-01-01'", True, None),
        ("now() < now() + INTERVAL '1' DAY", True, None),
        ("now() - seen < now() - due", False, None),
        ("live", True, None),
        ("TRUE", True, None),
        ("none", False, None),
        ("now() > NULL", False, None),
        # both sides move
        ("now() - seen > due - now()", False, 1),
        ("now() - seen >= due - now()", True, None),
        ("now() - seen > INTERVAL '3' DAY - (now() - seen)", False, DAY_MS // 2 + 1),
        # logic keeps the widest bound it can
        ("live AND due > now()", True, DAY_MS),
        ("dead AND due > now()", False, None),
        ("due > now() AND dead", False, None),
        ("none AND due > now()", False, DAY_MS),
        ("live OR due > now()", True, None),
        ("dead OR due > now()", True, DAY_MS),
        ("due > now() OR due > now() + INTERVAL '1' HOUR", True, DAY_MS),
        ("due < now() AND due < now() - INTERVAL '1' HOUR", False, DAY_MS + HOUR_MS + 1),
        ("due > now() AND due > now() + INTERVAL '1' HOUR", True, DAY_MS - HOUR_MS),
        ("due < now() OR due < now() - INTERVAL '1' HOUR", False, DAY_MS + 1),
        ("(due > now()) IS TRUE", True, DAY_MS),
        ("(due > now()) IS NULL", False, DAY_MS),
        ("(due > now()) = live", True, DAY_MS),
        # times that are chosen
        ("coalesce(seen, now()) < now() - INTERVAL '2' DAY", False, DAY_MS + 1),
        ("coalesce(NULL, now()) > due", False, DAY_MS + 1),
        ("least(due, now()) > seen", True, DAY_MS),  # early: the two lines meet then, the answer stays
        ("greatest(seen, now()) < due", True, DAY_MS),
        ("least(seen, seen + (seen + INTERVAL '1' DAY - now())) >= seen", True, 1),  # they part from a tie
        # functions: as long as the record says, if the schema says that they move
        ("count('view', 30) >= 2", True, HOUR_MS),
        ("count('view', 30) > 2 OR live", True, None),
        ("total('view') >= 2", True, None),
        ("count('view', 30) >= 2 AND due > now()", True, HOUR_MS),
        ("count('view', 30) + 1 IN (3)", True, HOUR_MS),
        ("coalesce(count('nothing', 30), total('view')) = 2", True, HOUR_MS),
    ],
)
def test_the_verdict_says_when_it_may_flip(text: str, holds: bool, flips_in_ms: int | None) -> None:
    verdict = parse(text, SCHEMA).verdict(Person(), NOW_MS)
    assert verdict.holds is holds
    assert verdict.flips_at_ms == (None if flips_in_ms is None else NOW_MS + flips_in_ms)


def test_a_flip_never_lies_in_the_past() -> None:
    late = parse("count('view', 30) > 1", SCHEMA).verdict(Person(), NOW_MS + 5 * HOUR_MS)
    assert late.flips_at_ms == NOW_MS + 5 * HOUR_MS + 1


def test_a_function_gets_its_arguments_and_the_time() -> None:
    person = Person()
    assert parse("count('view', 30) = 2", SCHEMA).test(person, 7)
    assert person.calls == [("count", ("view", 30), 7)]
    assert isinstance(person.calls[0][1][1], int)


def test_a_settled_and_asks_no_further() -> None:
    person = Person()
    assert not parse("dead AND count('view', 30) = 2", SCHEMA).test(person, NOW_MS)
    assert person.calls == []
