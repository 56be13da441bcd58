"""How long a whole page takes: six rows of ten items out of the thirteen that the built-in page `front` may show.

Prints milliseconds for the page, for its parts, and for the same rows asked one by one. Run it alone on the machine:
`python bench/page.py [--items 10000] [--rounds 200] [--json]`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.pages.page import decide_page, fallback_page, page_request
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest, Listed
from bespeak.engine.writing.collector import calm_collector
from bespeak.profiles.profile import Progress
from decide import NOW_MS, timed, view_of, world_of
from parts.figures import emit, options, tell


def watching(person: PersonView, item_ids: tuple[str, ...]) -> PersonView:
    """The person with a cart and with films that they stopped in the middle."""
    progress = {item_ids[n]: Progress(0.5, NOW_MS - n, 0, str(n), "progress") for n in range(900, 912)}
    return dataclasses.replace(person, progress=progress, cart=item_ids[40:43])


def main() -> None:
    """Runs the benchmark: a table on stderr, one JSON document on stdout."""
    args = options(
        __doc__,
        items=(10_000, 1_000, "items"),
        people=(5_000, 300, "people that the models learn from"),
        views=(100, 40, "events in the person's history"),
        rounds=(200, 20, "calls of each kind"),
    )
    rng = np.random.default_rng(1)
    world = world_of(args.items, args.people, rng)
    read, item_ids = view_of(world, args.views, rng), world.catalogue.item_ids
    front = page_request(world.page("front"), DecideRequest(placement=""))
    person = watching(read(), item_ids)

    def occasions(who: PersonView | None) -> list[Occasion]:
        return [Occasion(asked, who, world, NOW_MS) for asked in front.requests]

    made = decide_page(front.page, occasions(person), "p")
    listed = tuple(Listed(item_ids[n], 1.0 - n / 100) for n in range(100))
    rerank = DecideRequest(placement="home", items=listed)
    calls: dict[str, Callable[[], object]] = {
        "page of six rows": lambda: decide_page(front.page, occasions(watching(read(), item_ids)), "p"),
        "page, person unknown": lambda: decide_page(front.page, occasions(None), "p"),
        "page, fallback": lambda: fallback_page(front.page, occasions(None), "p"),
        "its rows, one by one": lambda: [
            decide(Occasion(asked, watching(read(), item_ids), world, NOW_MS, "d")) for asked in rows
        ],
        "100 listed items in order": lambda: decide(Occasion(rerank, read(), world, NOW_MS, "d")),
    }
    rows = [
        DecideRequest(placement=row.placement, item=row.about.get("item", ""), value=row.about.get("value", ""))
        for row in made.rows
    ]
    calm_collector()
    measured = {name: timed(call, args.rounds) for name, call in calls.items()}
    shape = {"items": args.items, "rows": len(made.rows), "shown": sum(len(row.items) for row in made.rows)}
    tell(", ".join(f"{n} {name}" for name, n in shape.items()))
    tell(f"rows: {', '.join(row.placement for row in made.rows)}")
    tell(f"{'':32}{'p50 ms':>9}{'p99 ms':>9}")
    for name, (p50, p99) in measured.items():
        tell(f"{name:32}{p50:9.3f}{p99:9.3f}")
    emit({**shape, "measured": {n: {"p50_ms": p50, "p99_ms": p99} for n, (p50, p99) in measured.items()}})


if __name__ == "__main__":
    main()
