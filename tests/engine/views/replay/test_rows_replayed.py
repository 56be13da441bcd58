"""Rows of pages are lists that are walked again given what stood above; what cannot be walked is counted with why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from bespeak.decide.trying.rewalk import rewalked
from bespeak.engine import ForeignItem
from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.views.replay.asked import policy_of
from bespeak.engine.views.replay.report import ReplayReport, replay_policy
from bespeak.signals.ids import USER_ID, IdKey

N_PAGES = 260
ROW: dict[str, Any] = {
    "explore": 0.5,
    "temperature": 0.3,
    "record_features": 1.0,
    "count": 2,
    "launch": 0.0,
    "hide_seen": {},
}
PAGE = {"own": {"rows": ["home", "trending"], "count": 2, "min_items": 1, "caps": {"brand": 1}}}
BEST = ("p0", "p1", "p2")
ALL = ["essential", "personalize", "measure", "improve"]


def settings(**home: Any) -> dict[str, Any]:
    return {
        "placements": {"home": {**ROW, **home}, "trending": ROW},
        "pages": PAGE,
        "sources": {"shop": {"kind": "import", "consent": ALL}},
    }


def _click(user: str, item: str, n: int) -> dict[str, Any]:
    about = {"messageId": f"{n}-{item}", "properties": {"product_id": item}}
    return {"type": "track", "event": "Product Clicked", "userId": user, **about}


def fill(engine: Engine) -> None:
    engine.items.put(
        [
            {"id": f"p{n}", "title": f"T{n}", "group": f"g{n // 2}", "attributes": {"brand": f"b{n % 6}"}}
            for n in range(12)
        ]
    )
    views = [("u1", n) for n in range(12)] + [("u2", n) for n in range(0, 12, 2)]
    engine.track(
        [
            {"type": "track", "event": "Product Viewed", "userId": user, "properties": {"product_id": f"p{n}"}}
            for user, n in views
        ],
        source="shop",
    )


def replayed(engine: Engine, text: str, placement: str = "") -> ReplayReport:
    policy, name = policy_of(engine.core, text, placement)
    return replay_policy(engine.core, policy, name, days=7, window_days=0.01)


@pytest.fixture
def pages(make: Callable[..., Engine], clock: VirtualClock) -> Engine:
    engine = make(settings())
    fill(engine)
    rng = np.random.default_rng(3)
    clicks = []
    for n in range(N_PAGES):
        clock.advance(1_000)
        user = f"u{n % 2 + 1}"
        shown = [item.item_id for slate in engine.page("own", user_id=user, page_id=f"page{n}") for item in slate]
        clicks += [_click(user, item, n) for item in shown if rng.random() < (0.6 if item in BEST else 0.1)]
    engine.track(clicks, source="shop")
    clock.advance(3_600_000)
    return engine


def test_every_row_of_a_page_is_walked_again_given_what_stood_above(pages: Engine) -> None:
    for name in ("home", "trending"):
        found = replayed(pages, name)
        assert found.left_out == {}, name
        assert found.n_used == N_PAGES, name
        assert found.evaluation is not None
        assert not found.evaluation.overlap.has_wrong_propensities
        assert found.evaluation.overlap.mean_weight == pytest.approx(1, abs=0.1)
    kept = pages.decision("page7-2")
    assert kept is not None
    assert kept.page is not None
    shown = {item.item_id for row in (1, 2) for item in pages.decision(f"page7-{row}").items}  # type: ignore[union-attr]
    lower = kept if kept.page.row == 2 else pages.decision("page7-1")
    assert lower is not None
    assert lower.page is not None
    assert len(shown) == 4
    assert set(lower.page.above) == shown - {item.item_id for item in lower.items}
    assert lower.page.caps == {"brand": 1}


def test_a_row_that_forgets_what_stood_above_it_does_not_give_its_propensities(pages: Engine) -> None:
    world, faithful = pages.core.world, []
    pages.core.drain()
    for n in range(20):
        found = next(one for row in (1, 2) if (one := pages.decision(f"page{n}-{row}")) and one.page and one.page.above)
        assert found.page is not None
        alone = msgspec.structs.replace(found, page=msgspec.structs.replace(found.page, above=()))
        settings_then = world.placement(found.placement)
        both = [rewalked(one, settings_then, settings_then, world) for one in (found, alone)]
        faithful.append([one is not None and one.is_faithful for one in both])
    assert all(with_above for with_above, _ in faithful)
    assert not any(without for _, without in faithful)


def test_two_policies_in_one_slate_and_slates_of_others_are_left_out_with_why(make: Callable[..., Engine]) -> None:
    arms = {"usual": {}, "odd": {"settings": {"weights": {"popular": -3.0}}}}
    duel = {"placement": "home", "kind": "interleave", "variants": arms}
    engine = make({**settings(), "experiments": {"duel": duel}})
    fill(engine)
    engine.decide("home", user_id="u1")
    engine.log_slate("home", [ForeignItem(id="p1", propensity=0.5)], [IdKey(USER_ID, "u1")])
    policy, name = policy_of(engine.core, "popular")
    engine.core.drain()
    found = replay_policy(engine.core, policy, name, days=7, window_days=0)
    assert (found.n_decisions, found.n_used, found.evaluation) == (2, 0, None)
    assert {reason.partition(":")[0] for reason in found.left_out} == {
        "two policies in one slate",
        "another system's slate",
    }
