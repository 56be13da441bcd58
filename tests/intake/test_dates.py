"""Dates as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.errors import EventRejected
from bespeak.intake.dates import DateOrder, guess_order
from bespeak.intake.times import parse_time_ms


@pytest.mark.parametrize(
    ("text", "order", "same_as"),
    [
        ("2019-11-01 00:00:00 UTC", None, "2019-11-01"),
        ("2019-11-01 02:00:00 +0200", None, "2019-11-01"),
        ("2019/11/1", None, "2019-11-01"),
        ("01.11.2019, 08:26", None, "2019-11-01T08:26"),
        ("1/11/2019 8:26:30.5", "day-first", "2019-11-01T08:26:30.5"),
        ("11/1/2019 12:05 am", "month-first", "2019-11-01T00:05"),
        ("11-1-2019 12:05 P.M.", "month-first", "2019-11-01T12:05"),
        ("1.11.2019", "month-first", "2019-11-01"),
    ],
)
def test_written_dates_mean_what_they_say(text: str, order: DateOrder | None, same_as: str) -> None:
    assert parse_time_ms(text, order) == parse_time_ms(same_as)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("1/11/2019", None),
        ("13/13/2019", "day-first"),
        ("31/12/2019", "month-first"),
        ("1/11/19", "day-first"),
        ("30.02.2019", None),
        ("1.11.2019 13:00 PM", None),
        ("1.11.2019 24:01", None),
        ("0/1/2019", "day-first"),
    ],
)
def test_a_date_that_is_none_or_could_be_two_is_rejected(text: str, order: DateOrder | None) -> None:
    with pytest.raises(EventRejected, match="ISO 8601"):
        parse_time_ms(text, order)


@pytest.mark.parametrize("value", [1e26, -1e26, "99999999999999999999999999"])
def test_a_number_beyond_the_calendar_is_no_time(value: Any) -> None:
    with pytest.raises(EventRejected, match="cannot be read"):
        parse_time_ms(value)


def test_dates_that_contradict_each_other_show_no_order() -> None:
    assert guess_order(["31/12/2025", "12/31/2025"]) is None
    assert guess_order(["2025-12-31", None, 5]) is None
