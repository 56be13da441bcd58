"""The first page: how much there is, how fresh it is, where to look next."""

from __future__ import annotations

from starlette.responses import Response

from bespeak.console.answers import data, html
from bespeak.console.desk import Desk, Visit


def overview(desk: Desk, visit: Visit) -> Response:
    """Shows counts, ages and ways on; as a fragment only the figures, which refresh themselves."""
    versions = desk.engine.models.versions()
    settings = desk.engine.core.config.settings
    values = {
        "totals": desk.queries.totals(),
        "lake_lag": desk.engine.lags()[0],
        "model": versions[0] if versions else None,
        "reject_counts": desk.queries.reject_counts(),
        "sources": settings.sources,
        "segments": sorted(settings.segments),
    }
    if visit.is_fragment:
        return html(desk.render("console/parts/figures.html", visit, **values))
    return html(desk.render("console/overview.html", visit, page="overview", title="Overview", **values))


def pulse(desk: Desk, visit: Visit) -> Response:
    """Answers what came in per minute, for the plot."""
    del visit
    seen = desk.pulse.read()
    return data(
        {
            "minutes": [minute // 1000 for minute in seen.minutes_ms],
            "live": seen.live,
            "imported": seen.imported,
            "rejected": seen.rejected,
        }
    )
