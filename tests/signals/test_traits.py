"""Typed traits: bands and words."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.signals.traits import age_band, gender, income_band, language, text

NOVEMBER_2023_MS = 1_700_000_000_000  # 2023-11-14


@pytest.mark.parametrize(
    ("value", "band"),
    [
        (17, "under_18"),
        (18, "18-24"),
        (64.9, "55-64"),
        ("65", "65+"),
        ("25-34", "25-34"),
        ("2005-11-14", "18-24"),
        ("2005-11-15", "under_18"),
        ("1950-01-01T00:00:00Z", "65+"),
        (-1, None),
        (200, None),
        ("soon", None),
        (True, None),
        ([], None),
    ],
)
def test_an_age_or_a_date_of_birth_becomes_a_band(value: Any, band: str | None) -> None:
    assert age_band(value, NOVEMBER_2023_MS) == band


def test_words_for_gender_are_unified_and_own_words_stay() -> None:
    assert [gender(word, 0) for word in ("W", "female", " Man ", "agender", "", 3)] == [
        "female",
        "female",
        "male",
        "agender",
        None,
        None,
    ]


def test_a_locale_gives_its_language() -> None:
    assert [language(value, 0) for value in ("pt_BR", "EN", "", 5)] == ["pt", "en", None, None]


def test_an_income_becomes_a_band_and_a_band_stays() -> None:
    assert [income_band(value, 0) for value in (0, 24_999, "75000", 1e9, -5, "high", None)] == [
        "under_25k",
        "under_25k",
        "75k-100k",
        "150k+",
        None,
        "high",
        None,
    ]


def test_text_is_trimmed_and_numbers_are_written_out() -> None:
    assert [text(value, 0) for value in (" Bonn ", 53111, 1.5, "", True, 10**400)] == [
        "Bonn",
        "53111",
        "1.5",
        None,
        None,
        None,
    ]
