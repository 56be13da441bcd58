"""The report: counts, conversions of people who may be measured, and sample sizes against published figures."""

from __future__ import annotations

import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.views.report import build_report
from bespeak.measure.planner import Plan

NOW = 1_760_000_000_000
DAY = 86_400_000


@pytest.fixture
def engine(tmp_path):
    create(tmp_path / "p", token_key=("private", ""))
    with Engine.open(tmp_path / "p", clock=VirtualClock(NOW)) as engine:
        yield engine


def event(user: str, name: str, n: int = 0, **more: object) -> dict[str, object]:
    return {
        "type": "track",
        "event": name,
        "userId": user,
        "messageId": f"{user}-{name}-{n}",
        "properties": {"product_id": "p1", "products": [{"product_id": "p1"}], "order_id": f"o{user}{n}"},
        **more,
    }


def test_an_empty_project_reports_zeros_and_an_assumed_rate(engine):
    report = build_report(engine.core)
    assert (report.n_events, report.n_people, report.first) == (0, 0, "")
    assert report.lift.is_assumed
    assert all(need.days is None for need in report.lift.needs)


def test_the_rate_is_of_people_who_may_be_measured(engine):
    no = {"consent": {"categoryPreferences": {"personalize": True, "measure": False}}}
    events = [event(f"u{i}", "Product Viewed") for i in range(20)]
    events += [event(f"u{i}", "Order Completed") for i in range(6)]
    events += [event("no", "Product Viewed", context=no), event("no", "Order Completed", context=no)]
    engine.track(events, source="backend")
    report = build_report(engine.core)
    assert (report.lift.n_visitors, report.lift.n_converted, report.lift.is_assumed) == (20, 6, False)
    assert report.lift.rate == pytest.approx(0.3)
    plan = Plan.of_rate(0.3, is_sequential=True)
    assert [need.visitors for need in report.lift.needs] == [plan.units_needed(0.3 * lift) for lift in (0.05, 0.1, 0.2)]


def test_what_came_in_and_went_out_is_counted(engine):
    yesterday = "2025-10-08T08:53:20Z"
    engine.track([event("u1", "Product Viewed"), event("u1", "Product Viewed", 1, timestamp=yesterday)], "backend")
    engine.track([event("u2", "Product Viewed")], "web")
    rejected = engine.track([{"type": "track", "event": "Product Viewed"}], "backend").rejected
    assert len(rejected) == 1
    engine.decide("home", user_id="u1")
    engine.core.drain()
    report = build_report(engine.core)
    assert report.by_source == {"backend": 2}
    assert report.by_day == {"2025-10-08": 1, "2025-10-09": 1}
    assert report.by_event == {"Product Viewed": 2}
    assert report.gated == {"no_purpose": 1}
    assert sum(report.rejected.values()) == 1
    assert [(d.placement, d.n) for d in report.decided] == [("home", 1)]
