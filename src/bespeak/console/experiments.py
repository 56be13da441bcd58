"""Experiments: what personalization and each experiment are worth so far, and what is still needed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.responses import Response

from bespeak.console.answers import go, html
from bespeak.console.desk import Desk, Visit
from bespeak.console.plots import scale
from bespeak.console.policies import versions_shown
from bespeak.engine.views.experiments import experiment_report
from bespeak.engine.views.launches import INTERFERENCE

KINDS = {
    "launch": "personalized against its control",
    "ab": "arms side by side",
    "aa": "arms that do not differ",
    "interleave": "two policies in one slate",
}


def experiments_page(desk: Desk, visit: Visit) -> Response:
    """Shows everything that is being compared."""
    return html(
        desk.render(
            "console/experiments.html", visit, page="experiments", title="Experiments", **_panel(desk),
            interference=INTERFERENCE, versions=versions_shown(desk),
        )
    )  # fmt: skip


def lifts_panel(desk: Desk, visit: Visit) -> Response:
    """Answers the panel of lifts that the overview shows."""
    return html(desk.render("console/parts/lifts.html", visit, **_panel(desk)))


def experiment_page(desk: Desk, visit: Visit) -> Response:
    """Shows one experiment with its plots."""
    found = experiment_report(desk.engine.core, visit.path["name"])
    lifts = [one.lift_interval for metric in found.metrics for one in metric.variants]
    return html(
        desk.render(
            "console/experiment.html",
            visit,
            page="experiments",
            title=found.name,
            found=found,
            kinds=KINDS,
            axis=scale(_percents(lifts)),
            parts=scale(_percents(one.lift_interval for one in found.subgroups)),
            shown=shown,
            interference=INTERFERENCE,
        )
    )


def start(desk: Desk, visit: Visit) -> Response:
    """Lets an experiment run."""
    return _said(desk, visit, is_start=True)


def stop(desk: Desk, visit: Visit) -> Response:
    """Ends an experiment."""
    return _said(desk, visit, is_start=False)


def _said(desk: Desk, visit: Visit, *, is_start: bool) -> Response:
    engine, name = desk.engine, visit.path["name"]
    say = engine.experiments.start if is_start else engine.experiments.stop
    say(name, engine.core.config.trials, engine.core.now_ms(), f"console:{visit.session.key_name}")
    desk.lifts.forget()
    return go(f"{desk.root}/experiments/{name}", is_fragment=visit.is_fragment)


def _panel(desk: Desk) -> dict[str, Any]:
    rows = desk.lifts.rows()
    return {
        "rows": rows,
        "axis": scale(_percents(row.lift_interval for row in rows)),
        "kinds": KINDS,
        "shown": shown,
    }


def shown(lift: float | None, interval: tuple[float, float] | None) -> dict[str, float] | None:
    """Returns what the plot of an interval draws, in percent; None where there is none."""
    if lift is None or interval is None:
        return None
    return {"mean": 100 * lift, "low": 100 * interval[0], "high": 100 * interval[1]}


def _percents(intervals: Iterable[tuple[float, float] | None]) -> list[float]:
    return [100 * end for interval in intervals if interval is not None for end in interval]
