"""An experiment as one HTML page: plots drawn here as SVG, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bespeak.cli.pages import templates
from bespeak.console.plots import scale
from bespeak.engine.clock import iso
from bespeak.engine.views.experiment_report import ExperimentReport
from bespeak.engine.views.launches import INTERFERENCE


def page(found: ExperimentReport, project: str) -> str:
    """The page as text.

    Args:
        found: the report.
        project: name of the project.
    """
    lifts = [one.lift_interval for metric in found.metrics for one in metric.variants]
    parts = [one.lift_interval for one in found.subgroups]
    return templates.get_template("experiment.html").render(
        found=found,
        project=project,
        since="" if found.started_ms is None else iso(found.started_ms)[:10],
        lifts=scale(_ends(lifts)),
        parts=scale(_ends(parts)),
        largest=max([arm.n_assigned for arm in found.arms] or [0]),
        primary=_primary(found),
        interference=INTERFERENCE,
    )


def _primary(found: ExperimentReport) -> dict[str, Any] | None:
    """The first variant in the primary metric, for the figures at the top."""
    if not found.metrics or not found.metrics[0].variants:
        return None
    return {"metric": found.metrics[0], "variant": found.metrics[0].variants[0]}


def _ends(intervals: Iterable[tuple[float, float] | None]) -> list[float]:
    return [100 * end for interval in intervals if interval is not None for end in interval]
