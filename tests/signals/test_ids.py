"""Ids: what is taken as one, and what never identifies anybody."""

from __future__ import annotations

import pytest

from bespeak.errors import EventRejected
from bespeak.signals.ids import clean_id, is_blocked


@pytest.mark.parametrize(
    ("given", "kept"), [("u1", "u1"), (42, "42"), (42.0, "42"), (None, ""), ("", ""), (" a ", " a ")]
)
def test_ids_are_kept_as_text_exactly(given, kept):
    assert clean_id(given, "userId") == kept


@pytest.mark.parametrize(
    "given",
    [True, 1.5, float("nan"), float("inf"), [], {}, "a\x00b", "account\x1fprofile", "\ud800", "é" * 128, "x" * 256],
)
def test_what_is_no_id_is_refused_without_being_repeated(given):
    with pytest.raises(EventRejected) as caught:
        clean_id(given, "userId")
    assert caught.value.code == "invalid_id"
    assert "userId" in caught.value.message
    assert "account" not in caught.value.message


def test_255_bytes_are_an_id():
    assert clean_id("é" * 127 + "x", "userId")


@pytest.mark.parametrize("value", ["null", " NULL ", "undefined", "0000", "0-0", "", "[object Object]", "-1"])
def test_values_that_clients_send_for_everybody_are_blocked(value):
    assert is_blocked(value)


@pytest.mark.parametrize("value", ["u1", "10", "nullable", "-11"])
def test_an_ordinary_value_is_not_blocked(value):
    assert not is_blocked(value)
