"""Whose items people clicked in interleaved slates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bespeak.engine.core import Core
from bespeak.engine.views.experiment_units import Units
from bespeak.signals.decisions import Decision
from bespeak.storage.tables import records

_CLICKS = """
    SELECT DISTINCT m.unit, s.decision_id, s.item_id FROM signals s JOIN unit_members m ON s.person_id = m.person_id
    WHERE s.signal_class = 'click' AND s.decision_id IS NOT NULL AND s.item_id IS NOT NULL AND NOT s.is_bot
      AND (s.purposes & ?) <> 0 AND s.time_ms >= m.start_ms AND s.time_ms < ?
"""
_BATCH = 5_000


def credits_of(
    core: Core, experiment: str, teams: tuple[str, str], units: Units, end_ms: int
) -> npt.NDArray[np.float64]:
    """Returns for each person who clicked: items of the second team less items of the first that they clicked.

    Clicks count that name the decision they belong to; an item of a decision counts once.
    """
    members, counted = units.tables()
    if not counted.num_rows:
        return np.zeros(0)
    start_ms = int(units.start_ms.min())
    clicks = core.lake.query(
        _CLICKS,
        (core.config.purposes.measure, end_ms),
        tables={"unit_members": members},
        start_ms=start_ms,
        end_ms=end_ms,
    ).to_pylist()
    wanted = sorted({click["decision_id"] for click in clicks})
    team_of: dict[tuple[str, str], str] = {}
    with core.store.read() as session:
        for first in range(0, len(wanted), _BATCH):
            for decision in records.decisions_named(session, wanted[first : first + _BATCH]):
                team_of |= _teams(decision, experiment)
    credit: dict[int, int] = {}
    for click in clicks:
        team = team_of.get((click["decision_id"], click["item_id"]))
        if team in teams:
            credit[click["unit"]] = credit.get(click["unit"], 0) + (1 if team == teams[1] else -1)
    return np.array(list(credit.values()), np.float64)


def _teams(decision: Decision, experiment: str) -> dict[tuple[str, str], str]:
    if decision.experiment is None or decision.experiment["name"] != experiment:
        return {}
    return {(decision.decision_id, shown.item_id): shown.team for shown in decision.items if shown.team}
