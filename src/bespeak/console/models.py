"""Models: versions, how they compare, what training said, and a button that trains."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from bespeak.console.answers import go, html
from bespeak.console.desk import Desk, Visit
from bespeak.console.plots import scale

PROTOCOLS = {
    "live": (
        "As it is served",
        "Fitted on the first 80 % of events; people are asked halfway through what they did later.",
    ),
    "calendar": ("By the calendar", "Fitted on the first 80 % of events and asked for what followed."),
    "per person": ("By person", "Fitted on each person's first 80 % of events and asked for the rest."),
}


def models_page(desk: Desk, visit: Visit) -> Response:
    """Shows the trained sets and their leaderboards."""
    versions = desk.engine.models.versions()
    wanted = visit.query.get("version", "")
    shown = next((v for v in versions if str(v[0].version) == wanted), versions[0] if versions else None)
    return html(
        desk.render(
            "console/models.html",
            visit,
            page="models",
            title="Models",
            versions=versions,
            shown=shown,
            boards=[_board(board) for board in shown[1].boards] if shown else [],
            run=desk.training.status(),
        )
    )


def train(desk: Desk, visit: Visit) -> Response:
    """Starts a training; its progress shows itself."""
    desk.training.start(f"console:{visit.session.key_name}")
    if visit.is_fragment:
        return training_state(desk, visit)
    return go(f"{desk.root}/models")


def training_state(desk: Desk, visit: Visit) -> Response:
    """Answers how the training goes."""
    run = desk.training.status()
    if run.state == "done" and visit.query.get("was") == "running":
        return go(f"{desk.root}/models", is_fragment=visit.is_fragment)  # the new version is there: show it
    return html(desk.render("console/parts/training.html", visit, run=run))


def _board(board: dict[str, Any]) -> dict[str, Any]:
    """A leaderboard with the axis that all its intervals share."""
    rows = board["rows"]
    title, meaning = PROTOCOLS.get(board["protocol"], (board["protocol"], ""))
    ends = [value for row in rows for value in (row["ndcg"]["low"], row["ndcg"]["high"])]
    return {**board, "title": title, "meaning": meaning, "axis": scale(ends)}
