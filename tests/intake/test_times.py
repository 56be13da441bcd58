"""Times as clients and files write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bespeak.errors import EventRejected
from bespeak.intake.times import EARLIEST_MS, canonical_ms, format_time_ms, parse_time_ms
from bespeak.signals.events import MAX_AHEAD_MS

NOON = 1_704_196_800_000  # 2024-01-02T12:00:00Z


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-02T12:00:00Z",
        "2024-01-02T12:00:00.000+00:00",
        "2024-01-02T13:00:00+01:00",
        "2024-01-02 12:00:00",
        "2024-01-02T12:00:00.000000123Z",
        " 2024-01-02T12:00:00Z ",
        1_704_196_800,
        1_704_196_800.0,
        1_704_196_800_000,
        1_704_196_800_000_000,
        1_704_196_800_000_000_000,
        "1704196800",
        "1704196800000",
        "1704196800.0",
        "1.7041968e9",
    ],
)
def test_the_same_moment_is_read_from_every_usual_form(value: Any) -> None:
    assert parse_time_ms(value) == NOON


def test_a_plain_date_is_its_first_moment() -> None:
    assert parse_time_ms("2024-01-02") == parse_time_ms("20240102") == NOON - 43_200_000


@pytest.mark.parametrize(
    "value",
    [None, True, "", "  ", "soon", "01-Jan-1995", "2024-02-30", [], {}, float("nan"), float("inf"), "1" * 5_000],
)
def test_what_is_no_time_is_rejected_with_what_is_allowed(value: Any) -> None:
    with pytest.raises(EventRejected, match="ISO 8601") as caught:
        parse_time_ms(value)
    assert caught.value.code == "invalid_timestamp"


@given(st.integers(EARLIEST_MS, 4_102_444_800_000))
def test_written_times_read_back_exactly(time_ms: int) -> None:
    assert parse_time_ms(format_time_ms(time_ms)) == time_ms
    assert parse_time_ms(time_ms) == time_ms


@given(
    st.integers(0, 2 * 10**12),
    st.integers(0, 10**7),
    st.integers(-(10**11), 10**11),
    st.integers(EARLIEST_MS * 2, 2 * 10**12),
)
def test_a_constant_error_of_the_clients_clock_changes_nothing(
    original_ms: int, delay_ms: int, error_ms: int, received_ms: int
) -> None:
    right = canonical_ms(original_ms, original_ms + delay_ms, received_ms)
    assert canonical_ms(original_ms + error_ms, original_ms + error_ms + delay_ms, received_ms) == right
    assert right == received_ms - delay_ms


def test_no_time_lies_more_than_five_minutes_ahead_of_its_receipt() -> None:
    assert canonical_ms(NOON + 10**9, None, NOON) == NOON + MAX_AHEAD_MS
    assert canonical_ms(NOON + 10**9, NOON, NOON) == NOON + MAX_AHEAD_MS
