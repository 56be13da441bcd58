"""Whatever is asked, of whomever: what a rule forbids is never shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest, Listed
from bespeak.decide.settings.placements import HOME, Placement, placements_from
from bespeak.decide.world import World

IDS = st.sampled_from([f"{genre}{n}" for genre in ("horror", "comedy", "drama", "war") for n in range(10)])
STEPS = st.lists(st.tuples(IDS, st.sampled_from(["view", "purchase", "hide", "cart"]), st.floats(0, 2000)), max_size=8)


@given(
    steps=STEPS,
    count=st.integers(1, 40),
    exclude=st.lists(IDS, max_size=5),
    limit=st.integers(1, 3),
    highest=st.integers(1, 45),
    listed=st.none() | st.lists(IDS, min_size=1, max_size=12),
    days=st.floats(0, 60),
    pins=st.lists(IDS, max_size=3, unique=True),
    diversity=st.floats(0, 1),
    explore=st.floats(0, 1),
)
def test_nothing_forbidden_is_ever_shown(
    world: World,
    person: Callable[..., PersonView],
    now_ms: int,
    steps: list[tuple[str, str, float]],
    count: int,
    exclude: list[str],
    limit: int,
    highest: int,
    listed: list[str] | None,
    days: float,
    pins: list[str],
    diversity: float,
    explore: float,
) -> None:
    settings = {
        "caps": {"genre": limit},
        "hide_seen": {"view": days, "hide": 36_500.0},
        "pins": [{"position": 2 * place, "item": item} for place, item in enumerate(pins, 1)],
        "diversity": diversity,
        "explore": explore,
    }
    limited = dataclasses.replace(world, placements=placements_from({"home": settings}))
    request = DecideRequest(
        placement="home",
        count=count,
        exclude=tuple(exclude),
        filter=f"price <= {highest}",
        items=None if listed is None else tuple(map(Listed, listed)),
    )
    decision = decide(Occasion(request, person(*steps), limited, now_ms, "d"))
    shown = [item.item_id for item in decision.items]
    catalogue = world.catalogue
    rows = [catalogue.index[item_id] for item_id in shown]
    seen = {item for item, name, hours in steps if (name == "view" and hours < days * 24 - 1e-6) or name == "hide"}
    carted = {item for item, name, _ in steps if name == "cart"}
    assert len(shown) == len(set(shown)) <= count
    assert not {*exclude, *seen, *carted} & set(shown)
    assert all(catalogue.market("default").prices[row] <= highest for row in rows)
    assert len({int(catalogue.groups[row]) for row in rows}) == len(rows)
    genres = [catalogue.facets["genre"].values_at(row)[0] for row in rows]
    assert all(genres.count(genre) <= limit for genre in genres)
    if listed is not None:
        assert set(shown) <= set(listed)


def test_the_default_home_hides_what_was_bought_and_viewed() -> None:
    assert HOME.hide_seen["purchase"] >= 365
    assert HOME.hide_seen["view"] > 0
    assert Placement().hide_seen == {}
