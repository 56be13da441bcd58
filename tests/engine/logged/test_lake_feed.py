"""The lake follows the log: everything once, under the purposes that held, whoever feeds it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bespeak.engine.logged.lake_feed import feed


def view(n: int, **more: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Product Viewed",
        "userId": f"u{n % 9}",
        "properties": {"product_id": f"p{n}"},
        **more,
    }


def in_lake(engine) -> list[str]:
    return sorted(engine.core.lake.read("signals", ("item_id",))["item_id"].to_pylist())


def test_feeding_again_adds_nothing(engine):
    engine.track([view(n) for n in range(20)], source="backend")
    reached = feed(engine.core)
    assert feed(engine.core) == reached
    engine.track([view(20)], source="backend")
    feed(engine.core)
    assert in_lake(engine) == sorted(f"p{n}" for n in range(21))


def test_two_engines_that_feed_at_once_write_each_row_once(make):
    engines = (make(), make())
    engines[0].track([view(n) for n in range(60)], source="backend")
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: feed(engines[n % 2].core), range(6)))
    assert in_lake(engines[0]) == sorted(f"p{n}" for n in range(60))


def test_a_signal_without_its_purpose_never_reaches_the_lake(engine):
    says = {"consent": {"categoryPreferences": {"measure": True}}}
    engine.track([view(1, context=says)], source="backend")
    feed(engine.core)
    assert in_lake(engine) == []
