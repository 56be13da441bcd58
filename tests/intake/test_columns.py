"""Column mappings as text."""

from __future__ import annotations

import pytest

from bespeak.errors import InvalidInput
from bespeak.intake.columns import ColumnMapping, parse_mapping


def test_columns_may_have_spaces_and_constants_commas() -> None:
    mapping = parse_mapping("""user = Customer ID , item=Stock Code,event='Lamp, Dimmed',currency="EUR" """)
    assert mapping.columns == {"user": "Customer ID", "item": "Stock Code"}
    assert mapping.constants == {"event": "Lamp, Dimmed", "currency": "EUR"}
    assert parse_mapping(mapping.text()) == mapping


def test_nothing_maps_nothing() -> None:
    assert parse_mapping("") == ColumnMapping()


@pytest.mark.parametrize("text", ["user", "user=", "=x", "user=a item", "user='a", "user=a,,item=b", "user=a,user=b"])
def test_a_text_that_is_no_mapping_is_refused(text: str) -> None:
    if text == "user=a item":  # a column may have a space in its name
        assert parse_mapping(text).columns == {"user": "a item"}
        return
    with pytest.raises(InvalidInput) as caught:
        parse_mapping(text)
    assert caught.value.code == "invalid_mapping"
