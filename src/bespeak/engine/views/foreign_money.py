"""Money that no metric adds up: amounts of an experiment's people in other currencies than the project's."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from bespeak.engine.core import Core
from bespeak.measure.metrics import Metric, sql_of
from bespeak.signals.counts import counted

_LEFT_OUT = """
    WITH paid AS (
      SELECT s.*, s.value_minor / 100.0 AS value FROM signals s JOIN unit_members m ON s.person_id = m.person_id
      WHERE s.value_minor <> 0 AND s.currency <> ? AND NOT s.is_bot AND (s.purposes & ?) <> 0
        AND s.time_ms >= m.start_ms AND s.time_ms < ?
    )
    SELECT currency, count(DISTINCT log_id) AS n FROM paid WHERE {about} GROUP BY currency ORDER BY n DESC, currency
"""


def left_out(core: Core, metrics: Sequence[Metric], members: pa.Table, start_ms: int, end_ms: int) -> list[str]:
    """Returns a sentence where events with amounts in other currencies count 0 in a metric; else nothing.

    Args:
        core: the open project.
        metrics: those that are reported.
        members: of `storage.lake.sums`: whose events count from when on.
        start_ms: the first of these times.
        end_ms: events before it count.
    """
    money = [metric for metric in metrics if metric.is_money]
    if not money or not members.num_rows:
        return []
    own = core.config.settings.project.currency
    about = " OR ".join(dict.fromkeys(sql_of(metric.of) for metric in money))
    found = core.lake.query(
        _LEFT_OUT.format(about=about),
        (own, core.config.purposes.measure, end_ms),
        tables={"unit_members": members},
        start_ms=start_ms,
        end_ms=end_ms,
    ).to_pylist()
    if not found:
        return []
    n, codes = sum(row["n"] for row in found), ", ".join(row["currency"] for row in found)
    names = ", ".join(metric.shown for metric in money)
    many = counted(n, "event")
    return [f"Watch out: {many} with amounts in {codes} add nothing to {names}, which count {own} alone."]
