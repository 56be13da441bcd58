"""Versions of what decides at each placement, on the page of experiments, and going back to one."""

from __future__ import annotations

from itertools import groupby

from starlette.responses import Response

from bespeak.console.answers import go
from bespeak.console.desk import Desk, Visit
from bespeak.engine.trying.policies import PolicyRow

N_LATEST = 5


def versions_shown(desk: Desk) -> list[PolicyRow]:
    """Returns, of placements with more than one version, the latest ones and whatever decides."""
    found: list[PolicyRow] = []
    for _, rows in groupby(desk.engine.policies.rows(), key=lambda row: row.placement):
        versions = list(rows)
        if len(versions) > 1:
            found += [row for place, row in enumerate(versions) if place < N_LATEST or row.state]
    return found


def decide_again(desk: Desk, visit: Visit) -> Response:
    """Lets a version decide."""
    core = desk.engine.core
    placement, version = visit.path["placement"], int(visit.path["version"])
    desk.engine.policies.roll_back(placement, version, core.now_ms(), f"console:{visit.session.key_name}")
    core.refresh()
    return go(f"{desk.root}/experiments", is_fragment=visit.is_fragment)
