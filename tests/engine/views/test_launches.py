"""The lift of a launch: found where planted, withheld while early or broken, and always with what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.engine.jobs import run_due
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.project import create
from bespeak.engine.views.launches import LaunchReport, launch_reports
from bespeak.engine.views.report import build_report
from bespeak.signals.ids import USER_ID, IdKey
from bespeak.storage.tables import assignments, people
from bespeak.storage.tables.assignments import Assignment

NOW_MS = 1_760_000_000_000
DAY_MS = 86_400_000
HOUR_MS = 3_600_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    create(tmp_path / "p", token_key=("private", ""), settings={"placements": {"home": {"launch": 0.5}}})
    with Engine.open(tmp_path / "p", clock=VirtualClock(NOW_MS - DAY_MS)) as engine:
        yield engine


def event(user: str, name: str, **more: Any) -> dict[str, Any]:
    products = [{"product_id": "p1"}]
    properties = {"product_id": "p1", "products": products, "order_id": f"o-{user}"}
    return {"type": "track", "event": name, "userId": user, "properties": properties, **more}


def planted(engine: Engine, n: dict[str, int], n_buyers: dict[str, int], *, mixed: tuple[str, ...] = ()) -> None:
    """People of each variant who came a day ago; so many of them ordered just now."""
    users = {variant: [f"{variant}-{place}" for place in range(size)] for variant, size in n.items()}
    engine.track([event(user, "Product Viewed") for group in users.values() for user in group], source="backend")
    with engine.core.store.read() as session:
        ids = people.resolve(session, [IdKey(USER_ID, user) for group in users.values() for user in group]).links
    with engine.core.store.write() as tx:
        assignments.assign(tx, [
            Assignment(person=ids[IdKey(USER_ID, user)], experiment="home-launch", variant=variant,
                       first_ms=NOW_MS - DAY_MS + HOUR_MS, is_mixed=user in mixed)
            for variant, group in users.items() for user in group
        ])  # fmt: skip
    engine.core.clock.set(NOW_MS)  # type: ignore[attr-defined]
    buyers = [user for variant, group in users.items() for user in group[: n_buyers[variant]]]
    engine.track([event(user, "Order Completed") for user in buyers], source="backend")


def report(engine: Engine) -> LaunchReport:
    (found,) = build_report(engine.core).launches
    return found


def test_before_anybody_came_it_says_how_many_are_needed(engine):
    found = report(engine)
    assert [arm.n_people for arm in found.arms] == [0, 0]
    assert found.n_more_people is not None
    assert found.n_more_people > 100_000
    assert found.n_more_days is None
    assert any("Too early" in said for said in found.sentences)


def test_a_planted_lift_is_found_with_an_interval_and_ends_the_launch(engine):
    planted(engine, {"control": 2_000, "personalized": 2_000}, {"control": 300, "personalized": 480})
    found = report(engine)
    conversion = found.outcomes[0]
    assert (conversion.control, conversion.personalized) == (0.15, 0.24)
    assert conversion.lift == pytest.approx(0.6)
    low, high = conversion.lift_interval
    assert 0 < low < 0.6 < high
    assert found.is_told
    assert found.n_more_people is None
    assert "personalized converts 60.0 % more often than control" in found.sentences[0]
    assert "launches" in run_due(engine, "test")
    engine.core.refresh()
    assert engine.core.world.launches["home"].name == "home-holdout"
    assert {launch.experiment: launch.is_running for launch in launch_reports(engine.core)} == {
        "home-launch": False,
        "home-holdout": True,
    }


def test_what_comes_after_a_launch_was_decided_does_not_water_its_lift_down(engine):
    planted(engine, {"control": 2_000, "personalized": 2_000}, {"control": 300, "personalized": 480})
    told = report(engine).outcomes
    run_due(engine, "test")
    engine.core.clock.set(NOW_MS + 30 * DAY_MS)
    engine.track([event(f"control-{n}", "Order Completed") for n in range(1_000)], source="backend")
    engine.core.refresh()
    feed(engine.core)
    ended = next(found for found in launch_reports(engine.core) if found.experiment == "home-launch")
    assert (ended.is_running, ended.is_told, ended.outcomes) == (False, True, told)


def test_a_planted_loss_is_said_and_ends_nothing(engine):
    planted(engine, {"control": 2_000, "personalized": 2_000}, {"control": 480, "personalized": 300})
    assert report(engine).is_told
    assert "less often" in report(engine).sentences[0]
    run_due(engine, "test")
    engine.core.refresh()
    assert engine.core.world.launches["home"].name == "home-launch"


def test_few_conversions_give_no_figure_but_what_is_missing(engine):
    planted(engine, {"control": 200, "personalized": 200}, {"control": 20, "personalized": 60})
    found = report(engine)
    assert found.outcomes == []
    assert not found.is_told
    assert found.n_more_people > 0
    assert found.n_more_days > 0
    assert any("20 of the 100 conversions" in said for said in found.sentences)


def test_where_nearly_everybody_converts_no_lift_is_promised_that_no_rate_can_have(engine):
    planted(engine, {"control": 200, "personalized": 200}, {"control": 190, "personalized": 191})
    found = report(engine)
    assert (found.is_told, found.n_more_people, found.n_more_days) == (False, None, None)
    assert not any("would show" in said for said in found.sentences)


def test_wrong_sizes_block_the_report(engine):
    planted(engine, {"control": 1_000, "personalized": 1_400}, {"control": 200, "personalized": 600})
    found = report(engine)
    assert found.sample_ratio < 0.001
    assert found.outcomes == []
    assert not found.is_told
    assert found.n_more_people is None
    assert len(found.sentences) == 1
    assert "broken" in found.sentences[0]


def test_who_was_only_shown_something_has_not_turned_to_it(engine):
    planted(engine, {"control": 30, "personalized": 30}, {"control": 4, "personalized": 6})
    shown = {"placement": "home", "items": [{"item_id": "p1", "position": 1}]}
    seen = [
        {
            **event(f"{variant}-{place}", "Recommendation Viewed", messageId=f"shown-{variant}-{place}"),
            "properties": shown,
        }
        for variant in ("control", "personalized")
        for place in range(30)
    ]
    engine.track(seen, source="backend")
    assert [(arm.n_engaged, arm.n_converted) for arm in report(engine).arms] == [(4, 4), (6, 6)]


def test_orders_before_the_assignment_do_not_count(engine):
    planted(engine, {"control": 20, "personalized": 20}, {"control": 0, "personalized": 0})
    late = event("control-1", "Order Completed", timestamp=iso(NOW_MS - DAY_MS))
    engine.track([late, event("control-2", "Order Completed")], source="backend")
    assert [arm.n_converted for arm in report(engine).arms] == [1, 0]


def test_a_project_says_what_converts(tmp_path):
    viewed = {"conversion_rate": {"of": "class = 'view' AND item = 'p1'"}}
    settings = {"placements": {"home": {"launch": 0.5}}, "metrics": viewed}
    create(tmp_path / "p", token_key=("private", ""), settings=settings)
    with Engine.open(tmp_path / "p", clock=VirtualClock(NOW_MS - DAY_MS)) as engine:
        planted(engine, {"control": 20, "personalized": 20}, {"control": 5, "personalized": 5})
        engine.track([event("control-9", "Product Viewed", messageId="v")], source="backend")
        assert [arm.n_converted for arm in report(engine).arms] == [1, 0]
        assert build_report(engine.core).lift.n_converted == 40


def test_who_withdraws_leaves_the_comparison_and_unequal_withdrawals_are_named(engine):
    planted(engine, {"control": 300, "personalized": 300}, {"control": 0, "personalized": 0})
    no = {"consent": {"categoryPreferences": {"measure": False}}}
    engine.track([event(f"control-{n}", "Product Viewed", context=no) for n in range(60)], source="backend")
    found = report(engine)
    assert [(arm.n_assigned, arm.n_people) for arm in found.arms] == [(300, 240), (300, 300)]
    assert any("withdrew their consent" in said for said in found.sentences)


def test_people_of_both_variants_stay_and_a_figure_without_them_stands_beside(engine):
    mixed = tuple(f"{variant}-{n}" for variant in ("control", "personalized") for n in range(50))
    planted(engine, {"control": 2_000, "personalized": 2_000}, {"control": 300, "personalized": 480}, mixed=mixed)
    found = report(engine)
    assert found.outcomes[0].lift == pytest.approx(0.6)
    assert any("Without the 100 people who saw both variants" in said for said in found.sentences)
