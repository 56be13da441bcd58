"""The first report: what came in, what was decided, what was learned, and how many visitors a lift figure needs."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from bespeak.engine.clock import iso
from bespeak.engine.core import Core
from bespeak.engine.logged.granted import Grants
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.training.policy_values import WeightsValue, weights_values
from bespeak.engine.views.launches import LaunchReport, launch_reports
from bespeak.engine.views.lifts import LiftRow, experiment_lifts
from bespeak.engine.worlds.trained_set import MODEL_SET, SetHeader
from bespeak.measure.metrics import CONVERSION, sql_of
from bespeak.measure.planner import ASSUMED_RATE, Plan, days_needed
from bespeak.signals.counts import counted
from bespeak.signals.purposes import MEASURE
from bespeak.storage.base import Session
from bespeak.storage.tables import log, people, records
from bespeak.storage.tables.log import DAY_MS
from bespeak.storage.tables.rows import as_int

LIFTS = (0.05, 0.10, 0.20)
WINDOW_DAYS = 28
MIN_CONVERSIONS = 5
_BY_DAY = f"SELECT time_ms / {DAY_MS}, count(*) FROM events WHERE kind = 'event' GROUP BY 1"  # noqa: S608 - ours

_VISITORS = """
    SELECT person_id, bool_or({converts}) AS converted FROM signals
    WHERE time_ms >= ? AND (purposes & ?) <> 0 AND NOT is_bot
    GROUP BY person_id HAVING bool_or(name <> 'identify')
"""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """How many decisions a placement made in one mode."""

    placement: str
    mode: str
    n: int


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """How many visitors show a lift of the conversion rate: intervals of 95 % that hold at every look, 80 % power.

    Attributes:
        lift: relative: 0.1 is a rate that is 10 % higher.
        per_group, visitors: in one group, and in both.
        days: at the visitors a day that came lately; None when nobody came.
    """

    lift: float
    per_group: int
    visitors: int
    days: int | None = None


class LiftNeeds(msgspec.Struct, frozen=True, kw_only=True):
    """What a lift figure needs, and from which observed rate that follows.

    Attributes:
        rate: share of visitors who converted within the window; is_assumed: too few did, so a usual rate stands in.
        n_visitors, n_converted: people within the window who may be measured, and those who did what the metric
            `conversion_rate` counts.
        window_days: length of the window, which ends with the newest event.
    """

    rate: float
    is_assumed: bool
    n_visitors: int
    n_converted: int
    window_days: int
    needs: list[Need]
    sentences: list[str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a project did so far. Counts are of the log, as it stands: erased people are not in it.

    Attributes:
        by_day: day of the event (ISO) -> events.
        by_class: signal class -> signals about items, bots left out.
        rejected: reason -> events or lines kept as rejects.
        gated: reason -> events that no granted purpose may use; only this count is kept of them.
        launches: what each launch and holdout tells so far.
        experiments: what each experiment tells in the metric that decides.
        trained: what the model in use says about itself.
        weights: what learned weights in use were predicted to bring, and what they brought.
    """

    name: str
    n_events: int
    n_people: int
    n_items: int
    first: str
    last: str
    by_day: dict[str, int]
    by_source: dict[str, int]
    by_event: dict[str, int]
    by_class: dict[str, int]
    rejected: dict[str, int]
    gated: dict[str, int]
    decided: list[Decided]
    launches: list[LaunchReport]
    experiments: list[LiftRow]
    trained: list[str]
    weights: list[WeightsValue]
    model_version: int
    lift: LiftNeeds


def build_report(core: Core, progress: Callable[[int], None] | None = None) -> Report:
    """Returns the report of a project; brings the lake up to date first."""
    feed(core, progress)
    launches, experiments = launch_reports(core), experiment_lifts(core)
    weights = [one for one in weights_values(core, only_in_use=True) if one.prediction is not None]
    with core.store.read() as session:
        span = log.time_range(session)
        current = records.models(session, name=MODEL_SET, state="current")
        header = msgspec.json.decode(current[0].header, type=SetHeader) if current else None
        days = _counts(session, _BY_DAY)
        return Report(
            name=core.config.settings.project.name,
            n_events=log.count(session),
            n_people=people.count(session),
            n_items=len(core.world.catalogue),
            first=iso(span[0]) if span else "",
            last=iso(span[1]) if span else "",
            by_day={iso(int(day) * DAY_MS)[:10]: n for day, n in sorted(days.items(), key=lambda e: int(e[0]))},
            by_source=_counts(session, "SELECT source, count(*) FROM events WHERE kind = 'event' GROUP BY source"),
            by_event=_counts(session, "SELECT name, count(*) FROM events WHERE kind = 'event' GROUP BY name"),
            by_class=_counts(session, "SELECT signal_class, sum(n) FROM item_counters GROUP BY signal_class"),
            rejected=log.reject_counts(session),
            gated=_counts(session, "SELECT reason, sum(n) FROM gated_counts GROUP BY reason"),
            decided=[
                Decided(placement=str(row[0]), mode=str(row[1]), n=as_int(row[2]))
                for row in session.rows(
                    "SELECT placement, mode, count(*) FROM decisions GROUP BY placement, mode ORDER BY placement, mode"
                )
            ],
            launches=launches,
            experiments=experiments,
            trained=header.sentences if header else [],
            weights=weights,
            model_version=current[0].version if current else 0,
            lift=_lift_needs(core, span),
        )


def _lift_needs(core: Core, span: tuple[int, int] | None) -> LiftNeeds:
    n_visitors = n_converted = 0
    window_days = WINDOW_DAYS
    if span is not None:
        window_days = max(1, min(WINDOW_DAYS, -(-(span[1] - span[0]) // DAY_MS)))
        n_visitors, n_converted = _converted(core, span[1] - window_days * DAY_MS)
    is_assumed = n_converted < MIN_CONVERSIONS or n_converted == n_visitors
    rate = ASSUMED_RATE if is_assumed else n_converted / n_visitors
    needs = []
    for lift in LIFTS:
        if rate * (1 + lift) < 1:
            visitors = Plan.of_rate(rate, is_sequential=True).units_needed(rate * lift)
            days = days_needed(visitors, n_visitors / window_days) if n_visitors else None
            needs.append(Need(lift=lift, per_group=-(-visitors // 2), visitors=visitors, days=days))
    return LiftNeeds(
        rate=rate,
        is_assumed=is_assumed,
        n_visitors=n_visitors,
        n_converted=n_converted,
        window_days=window_days,
        needs=needs,
        sentences=_sentences(rate, n_visitors, n_converted, window_days, is_assumed=is_assumed),
    )


def _converted(core: Core, since_ms: int) -> tuple[int, int]:
    """Returns how many people who may be measured did something since then, and how many of them converted."""
    sql = _VISITORS.format(converts=sql_of(core.config.metrics[CONVERSION].of))
    found = core.lake.query(sql, (since_ms, core.config.purposes.measure), start_ms=since_ms)
    with core.store.read() as session:
        grants = Grants.read(session, MEASURE)
    root = grants.roots_of(found.column("person_id").to_numpy())
    counts = grants.allow(root)
    converted = counts & found.column("converted").to_numpy(zero_copy_only=False)
    return len(np.unique(root[counts])), len(np.unique(root[converted]))


def _sentences(rate: float, n_visitors: int, n_converted: int, window_days: int, *, is_assumed: bool) -> list[str]:
    converted = f"{n_converted:,} of {counted(n_visitors, 'person')} who may be measured converted"
    said = f"{converted} in the last {window_days} days of data."
    if is_assumed:
        return [
            f"{said} That is no rate to plan with, so {rate:.1%} is assumed.",
            "A lift of that rate shows (95 % intervals that hold at every look, 80 % power) with groups of:",
        ]
    return [
        said,
        f"A lift of that rate, {rate:.2%}, shows (95 % intervals that hold at every look, 80 % power) with groups of:",
    ]


def _counts(session: Session, sql: str) -> dict[str, int]:
    return {str(row[0]): round(float(str(row[1]))) for row in session.rows(sql)}
