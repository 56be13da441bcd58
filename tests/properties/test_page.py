"""Whatever the rows, the person and the rules: a page has no duplicates and breaks no rule, and repeats itself."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bespeak.catalogue.counters import DAY_MS, ItemCounters
from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.catalogue.text_index import TextIndex
from bespeak.decide.occasion import Occasion
from bespeak.decide.pages.page import PageDecision, decide_page, page_request
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.pages import pages_from
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.world import World
from bespeak.profiles.decay import Decayed
from bespeak.profiles.profile import Progress, Step
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.items import Item

NOW_MS = 20_000 * DAY_MS
N_ITEMS = 60
ITEMS = [f"p{n}" for n in range(N_ITEMS)]
CATALOGUE = CatalogueSnapshot.build(
    [
        Item(
            id=item,
            group=f"g{n // 2}",
            attributes={
                "genre": [f"genre{n % 5}"],
                "brand": f"b{n % 7}",
                "stock": float(n % 4),
                "sponsored": n % 6 == 0,
            },
            published_at=NOW_MS - n * DAY_MS,
        )
        for n, item in enumerate(ITEMS)
    ],
    ("genre", "brand"),
)
CLASSES = SignalCatalogue.built_in().classes
WORLD = World(
    catalogue=CATALOGUE,
    counters=ItemCounters.build(
        [(item, "view", NOW_MS // DAY_MS, 1.0 + n % 9) for n, item in enumerate(ITEMS)],
        CATALOGUE.index,
        {"view": 1.0},
        NOW_MS,
    ),
    text_index=TextIndex.build(CATALOGUE.items),
    classes=CLASSES,
    seed=3,
)

hours = st.floats(0, 2000)
people = st.builds(
    lambda steps, cart, played, shown: PersonView(
        person=1,
        is_identified=True,
        items={item: {kind: Decayed(1.0, NOW_MS - int(ago * 3_600_000))} for item, kind, ago in steps},
        recent=sorted(Step(NOW_MS - int(ago * 3_600_000), item, kind, 1.0) for item, kind, ago in steps),
        affinities={"genre": {f"genre{int(item[1:]) % 5}": 1.0 for item, _, _ in steps}},
        cart=tuple(cart),
        progress={item: Progress(part, NOW_MS, 0, "", "progress") for item, part in played},
        shown={item: tuple(sorted(NOW_MS - int(ago * 3_600_000) for ago in agos)) for item, agos in shown.items()},
    ),
    st.lists(
        st.tuples(st.sampled_from(ITEMS), st.sampled_from(["view", "purchase", "watch", "hide"]), hours), max_size=12
    ),
    st.lists(st.sampled_from(ITEMS), max_size=3, unique=True),
    st.lists(st.tuples(st.sampled_from(ITEMS), st.floats(0, 1)), max_size=5),
    st.dictionaries(st.sampled_from(ITEMS), st.lists(st.floats(0, 60), min_size=1, max_size=4), max_size=8),
)
ROWS = ["home", "continue_watching", "recently_viewed", "buy_again", "new_for_you", "trending_for_you", "complements"]
RULES = st.fixed_dictionaries(
    {},
    optional={
        "caps": st.fixed_dictionaries(
            {"genre": st.integers(1, 4) | st.builds(lambda w: {"limit": 1, "window": w}, st.integers(2, 4))}
        ),
        "shares": st.builds(
            lambda least, more, paid: [
                {
                    "name": "ads",
                    "filter": "sponsored",
                    "at_least": least / 10,
                    "at_most": min(1.0, (least + more) / 10),
                    "paid": paid,
                }
            ],
            st.integers(0, 5),
            st.integers(0, 5),
            st.booleans(),
        ),
        "min_stock": st.integers(0, 3),
        "cooling_off": st.builds(lambda n, h: [{"times": n, "hours": h}], st.integers(1, 3), st.floats(1, 48)),
        "rotation": st.builds(lambda r, h: {"rate": r, "hours": h}, st.floats(0, 1), st.floats(1, 48)),
        "boosts": st.builds(
            lambda add, factor: [{"name": "b", "filter": "brand = 'b1'", "add": add, "factor": factor}],
            st.floats(-2, 2),
            st.floats(0, 3),
        ),
        "explore": st.floats(0, 1),
        "diversity": st.floats(0, 1),
        "pins": st.builds(lambda item: [{"position": 1, "item": item}], st.sampled_from(ITEMS)),
    },
)
PAGES = st.fixed_dictionaries(
    {
        "rows": st.lists(
            st.sampled_from(
                [*ROWS, {"placement": "genres", "at_most": 3}, {"placement": "because_you_watched", "at_most": 2}]
            ),
            min_size=1,
            max_size=6,
            unique_by=str,
        ),
        "count": st.integers(1, 8),
        "max_rows": st.integers(1, 6),
        "min_items": st.integers(1, 4),
        "caps": st.just({}) | st.fixed_dictionaries({"brand": st.integers(1, 4)}),
        "one_per_group": st.booleans(),
    }
)


def decided(page: Mapping[str, Any], rules: Mapping[str, Any], who: PersonView | None) -> tuple[PageDecision, World]:
    placements = placements_from(dict.fromkeys([*ROWS, "genres", "because_you_watched"], rules))
    world = dataclasses.replace(WORLD, placements=placements, pages=pages_from({"own": page}, placements))
    request = page_request(world.page("own"), DecideRequest(placement=""))
    return decide_page(request.page, [Occasion(asked, who, world, NOW_MS) for asked in request.requests], "page"), world


@settings(max_examples=60)
@given(page=PAGES, rules=RULES, who=st.none() | people)
def test_a_page_has_no_duplicates_breaks_no_rule_and_repeats_itself(
    page: dict[str, Any], rules: dict[str, Any], who: PersonView | None
) -> None:
    made, world = decided(page, rules, who)
    assert decided(page, rules, who)[0] == made
    shown = [item for row in made.rows for item in row.items]
    rows = [CATALOGUE.index[item.item_id] for item in shown]
    assert len(set(rows)) == len(rows)
    assert len(made.rows) <= page["max_rows"]
    assert all(0 < item.propensity <= 1 + 1e-12 for item in shown)
    if page["one_per_group"]:
        assert len({int(CATALOGUE.groups[row]) for row in rows}) == len(rows)
    brands = Counter(CATALOGUE.facets["brand"].values_at(row)[0] for row in rows)
    assert max(brands.values(), default=0) <= page["caps"].get("brand", N_ITEMS)
    for row in made.rows:
        _holds(row.items, rules, who, page["count"], world)


def _holds(items: Any, rules: dict[str, Any], who: PersonView | None, count: int, world: World) -> None:
    """The rules of a placement said once more, in the plainest way."""
    rows = [CATALOGUE.index[item.item_id] for item in items]
    stock = np.array([world.catalogue.items[row].attributes["stock"] for row in rows], np.float64)
    assert (stock >= rules.get("min_stock", 0)).all()
    genres = [CATALOGUE.facets["genre"].values_at(row)[0] for row in rows]
    cap = rules.get("caps", {}).get("genre", N_ITEMS)
    limit, window = (cap, len(rows)) if isinstance(cap, int) else (cap["limit"], cap["window"])
    for start in range(max(len(rows) - window, 0) + 1):
        assert max(Counter(genres[start : start + window]).values(), default=0) <= limit
    ads = [bool(world.catalogue.items[row].attributes["sponsored"]) for row in rows]
    for share in rules.get("shares", ()):
        assert sum(ads) <= share["at_most"] * count + 1e-9
        assert [item.is_paid for item in items] == [share["paid"] and is_ad for is_ad in ads]
    if who is not None:
        for rule in rules.get("cooling_off", ()):
            for item in items:
                seen = [t for t in who.shown.get(item.item_id, ()) if NOW_MS - t < rule["hours"] * 3_600_000]
                assert len(seen) < rule["times"]
