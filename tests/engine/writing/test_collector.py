from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from bespeak import calm_collector
from bespeak.engine.writing.collector import YOUNG_OBJECTS


@pytest.fixture
def collector() -> Iterator[None]:
    """Leaves the collector of the test run as it was."""
    held = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*held)


@pytest.mark.usefixtures("collector")
def test_opening_an_engine_leaves_the_collector_of_the_process_alone(make) -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    make()
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


@pytest.mark.usefixtures("collector")
def test_what_exists_is_left_out_of_collections_from_then_on() -> None:
    held = [[number] for number in range(1_000)]
    calm_collector()
    assert gc.get_freeze_count() >= len(held)
    assert gc.get_threshold()[0] == YOUNG_OBJECTS
