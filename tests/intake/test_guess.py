"""Guessed columns."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.intake.guess import guess_mapping

EVENT_FILES = [
    ("visitorid,event,itemid,transactionid", ["257597", "view", "355908", ""],
     {"user": 0, "event": 1, "item": 2, "order": 3}),
    ("InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
     ["536365", "85123A", "6", "2010-12-01 08:26:00", "2.55", "17850", "United Kingdom"],
     {"order": 0, "item": 1, "quantity": 2, "timestamp": 3, "price": 4, "user": 5}),
    ("event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session",
     ["2019-10-01 00:00:00 UTC", "view", "44600062", "210", "a.b", "shiseido", "35.79", "541312140", "72d"],
     {"timestamp": 0, "event": 1, "item": 2, "brand": 5, "price": 6, "user": 7}),
    ("reviewerID,asin,overall,unixReviewTime", ["A2S", "0528", "5.0", "1381449600"],
     {"user": 0, "item": 1, "rating": 2, "timestamp": 3}),
    ("uid,iid,ts", ["1", "2", "1700000000000"], {"user": 0, "item": 1, "timestamp": 2}),
    ("User ID,Item ID,happened", ["1", "2", "2024-01-01T00:00:00Z"], {"user": 0, "item": 1, "timestamp": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("header", "row", "expected"), EVENT_FILES)
def test_usual_files_of_events_are_recognised(header: str, row: list[Any], expected: dict[str, int]) -> None:
    columns = header.split(",")
    found = guess_mapping(columns, [row], "events").mapping.columns
    assert {field: columns.index(column) for field, column in found.items() if field in expected} == expected


def test_a_name_whose_values_do_not_fit_is_not_taken() -> None:
    found = guess_mapping(["user", "item", "date", "rating"], [["u", "a", "next tuesday", "good"]], "events")
    assert found.mapping.columns == {"user": "user", "item": "item"}
    assert found.confidence == pytest.approx(2 / 3)


def test_a_price_that_cannot_be_read_is_named() -> None:
    guess = guess_mapping(["id", "title", "price"], [["p1", "Lamp", "12.50 EUR"]], "items")
    assert "price" not in guess.mapping.columns
    assert guess.unread_numbers == {"price": "price"}
    plain = guess_mapping(["id", "price", "unit price"], [["p1", "12.50 EUR", "12.50"]], "items")
    assert (plain.mapping.columns["price"], plain.unread_numbers) == ("unit price", {})


def test_nothing_known_gives_no_confidence() -> None:
    assert guess_mapping(["a", "b"], [["x", "y"]], "events").confidence == 0.0
    assert guess_mapping([], [], "items").confidence == 0.0


def test_codes_with_leading_zeros_are_no_numbers() -> None:
    guess = guess_mapping(
        ["id", "zip", "year", "size"], [["1", "01234", "1995", "-0.5"], ["2", "53111", "2001", ""]], "items"
    )
    assert guess.numbers == ("id", "year", "size")


def test_lists_are_columns_where_most_rows_have_the_separator() -> None:
    rows = [["1", "a|b", "x|y"], ["2", "c", "x|y"], ["3", "d", "z"], ["4", None, ""]]
    assert guess_mapping(["id", "few", "most"], rows, "items").lists == ("most",)
