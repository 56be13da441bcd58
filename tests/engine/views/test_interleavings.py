"""An interleaved experiment, end to end: mixed slates, clicks that name their decision, and whose were clicked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bespeak.cli.trying.experiment_page import page
from bespeak.engine.engine import Engine
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.views.experiment_plan import taking_part
from bespeak.engine.views.experiments import experiment_report
from bespeak.errors import InvalidInput

N_PEOPLE = 60
ITEMS = [{"id": f"p{n}", "title": f"Item {n}", "attributes": {"category": f"c{n % 4}"}} for n in range(24)]
PLAN = {
    "experiments": {
        "duel": {
            "placement": "home",
            "kind": "interleave",
            "variants": {
                "usual": {},
                "odd": {"settings": {"weights": {"popular": -3.0, "trending": -3.0, "fresh": -3.0}}},
            },
        }
    }
}


def event(name: str, user: str, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": name, "userId": user, "properties": properties}


@pytest.fixture
def shop(make: Callable[..., Engine]) -> Engine:
    engine = make(PLAN)
    engine.items.put(ITEMS)
    views = [event("Product Viewed", f"u{n}", product_id=f"p{n * n % 24}") for n in range(N_PEOPLE)]
    engine.track(views, source="backend")
    engine.core.refresh()
    return engine


def test_everybody_sees_both_and_the_record_says_whose_each_item_is(shop):
    decision = shop.decide("home", user_id="u1").decision
    assert decision.experiment == {"name": "duel", "variant": "interleaved"}
    assert decision.policy == "home@1+home@2"
    teams = [shown.team for shown in decision.items]
    assert set(teams) == {"usual", "odd"}
    assert all({teams[n], teams[n + 1]} == {"usual", "odd"} for n in range(0, len(teams) - 1, 2))
    assert all(0 < shown.propensity <= 1 for shown in decision.items)
    assert len({shown.item_id for shown in decision.items}) == len(decision.items)
    again = shop.decide("home", user_id="u1", decision_id=decision.decision_id).decision
    assert again.items == decision.items


def test_clicks_on_one_teams_items_are_votes_for_it(shop):
    clicks = []
    for n in range(N_PEOPLE):
        decision = shop.decide("home", user_id=f"u{n}").decision
        wanted = "odd" if n < 50 else "usual"
        item = next(shown.item_id for shown in decision.items if shown.team == wanted)
        click = event("Product Clicked", f"u{n}", product_id=item, decision_id=decision.decision_id)
        clicks += [click, {**click, "messageId": f"again-{n}"}]
        clicks.append(event("Product Clicked", f"u{n}", product_id="p3"))  # names no decision
        clicks.append(event("Product Clicked", f"u{n}", product_id="p3", decision_id="unknown"))
    shop.core.drain()
    shop.core.clock.advance(1000)  # type: ignore[attr-defined]
    shop.track(clicks, source="backend")
    feed(shop.core)
    found = experiment_report(shop.core, "duel")
    votes = found.preference
    assert (votes.n_first, votes.n_second, votes.n_ties) == (10, 50, 0)
    assert votes.share == pytest.approx(50 / 60)
    assert found.teams == ["usual", "odd"]
    assert '<th scope="col">for odd</th>' in page(found, "shop")
    assert votes.p_value < 0.05
    assert "People prefer odd" in found.sentences[0]
    assert (found.metrics, found.sample_ratio) == ([], None)


def test_nobody_clicked_yet(shop):
    shop.decide("home", user_id="u1")
    feed(shop.core)
    assert "Nobody has clicked" in experiment_report(shop.core, "duel").sentences[0]


def test_votes_that_are_too_old_to_be_counted_are_named(shop):
    shop.decide("home", user_id="u1")
    shop.core.drain()
    assert not any("kept for" in said for said in experiment_report(shop.core, "duel").sentences)
    shop.core.clock.advance(181 * 86_400_000)  # type: ignore[attr-defined]
    said = experiment_report(shop.core, "duel").sentences
    assert "Watch out: decisions are kept for 180 days; clicks on earlier slates count no more." in said


def test_an_interleaving_has_no_metric_to_plan_with(shop):
    with pytest.raises(InvalidInput, match="counts votes"):
        taking_part(shop.core, "duel")
