"""How many people and days an experiment needs, from what a metric was lately."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa

from bespeak.decide.launch import CONTROL
from bespeak.engine.core import Core
from bespeak.engine.logged.granted import Grants
from bespeak.engine.trials import trial_named
from bespeak.errors import InvalidInput, UnknownName
from bespeak.measure.interleaving import MIN_VOTES
from bespeak.measure.metrics import Metric, sums_of
from bespeak.measure.planner import ENOUGH_FOR_A_RATE, Plan, days_needed
from bespeak.signals.money import exponent
from bespeak.signals.purposes import MEASURE
from bespeak.storage.lake.sums import MEMBERS, unit_sums
from bespeak.storage.statistics import Group, RawSums, SumsRequest, Wanted
from bespeak.storage.tables.log import DAY_MS

LIFTS = (0.02, 0.05, 0.1, 0.2, 0.5)
DAYS = 28

_VISITORS = """
    SELECT DISTINCT person_id FROM signals WHERE time_ms >= ? AND time_ms < ? AND (purposes & ?) <> 0 AND NOT is_bot
"""


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """What one lift needs: intervals of 95 % that hold at every look, 80 % power."""

    lift: float
    n_people: int
    n_days: int | None


class ExperimentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What an experiment needs.

    Attributes:
        mean: of the metric over the visitors of the last `days`.
        n_visitors: of them; coverage: the share of them who come into the variant or the control.
        share: of the variant among these.
    """

    metric: str
    title: str
    mean: float
    n_visitors: int
    days: int
    coverage: float
    share: float
    needed: list[Needed]


def experiment_plan(
    core: Core, metric: str, *, share: float = 0.5, coverage: float = 1.0, lifts: tuple[float, ...] = LIFTS
) -> ExperimentPlan:
    """Returns what an experiment on a metric needs. The lake is read as it stands.

    Args:
        metric: the primary metric.
        share: of the variant, of those in it or in the control.
        coverage: of visitors who come into the variant or the control.
        lifts: relative ones that should show.

    Raises:
        UnknownName: there is no such metric.
        InvalidInput: the metric hardly ever happened, so there is nothing to plan with.
    """
    known = core.config.metrics
    if metric not in known:
        raise UnknownName("metric", metric, sorted(known))
    wanted = msgspec.structs.replace(known[metric], after_days=0.0, is_closed=False).wanted()
    n_visitors, raw = _lately(core, wanted)
    if raw is None or raw.n_nonzero < ENOUGH_FOR_A_RATE:
        n = 0 if raw is None else raw.n_nonzero
        raise InvalidInput(
            f"{n} of {n_visitors:,} visitors of the last {DAYS} days of data have {known[metric].shown}: too few.",
            hint=f"About {ENOUGH_FOR_A_RATE} are needed to plan with. Import more events, or take another metric.",
        )
    plan = _plan(known[metric], raw, wanted, share)
    a_day = coverage * n_visitors / DAYS
    needed = []
    for lift in lifts:
        if plan.is_proportion and plan.mean * (1 + lift) >= 1:
            continue
        n_people = plan.units_needed(lift * plan.mean)
        needed.append(Needed(lift=lift, n_people=n_people, n_days=days_needed(n_people, a_day) if a_day else None))
    return ExperimentPlan(
        metric=metric,
        title=known[metric].shown,
        mean=plan.mean,
        n_visitors=n_visitors,
        days=DAYS,
        coverage=coverage,
        share=share,
        needed=needed,
    )


def taking_part(core: Core, name: str) -> tuple[float, float]:
    """Returns of an experiment (the share of its smallest variant among that and the control, that pair's of visitors).

    Of the visitors leave out whoever the ramp, the namespace, other variants, and the control of the placement's launch
    take away. A condition may take more away; it is not known how many.

    Raises:
        UnknownName: the active configuration has no such experiment.
        InvalidInput: it is an interleaving, which has votes and no metric.
    """
    trial = trial_named(core.config.trials, name)
    if trial.kind == "interleave":
        hint = f"It says something from {MIN_VOTES} votes on. To plan arms side by side, give a metric."
        raise InvalidInput(f"'{name}' is an interleaving: it counts votes and has no metric to plan with.", hint=hint)
    settings, spread = core.config.settings.experiments[name], trial.spread
    shares = spread.expected()
    control = shares.pop(settings.control or next(iter(shares)))
    variant = min((share for share in shares.values() if share > 0), default=control)
    launch = core.world.launches.get(trial.placement)
    within = 1.0 if spread.namespace is None else spread.namespace.end - spread.namespace.start
    beside = 1.0 if launch is None else 1.0 - launch.expected()[CONTROL]
    return variant / (control + variant), (control + variant) * spread.coverage * within * beside


def _plan(metric: Metric, raw: RawSums, wanted: Wanted, share: float) -> Plan:
    if metric.kind == "proportion":
        return Plan.of_rate(min(raw.n_nonzero / raw.n, 0.99), share=share, is_sequential=True)
    return Plan.of_sums(sums_of(raw, wanted, is_adjusted=False), share=share, is_sequential=True)


def _lately(core: Core, wanted: Wanted) -> tuple[int, RawSums | None]:
    """How many people came in the last days of data, and what they did."""
    measure = core.config.purposes.measure
    latest = core.lake.query("SELECT max(time_ms) AS latest FROM signals").to_pylist()[0]["latest"]
    end_ms = int(latest or 0) + 1
    start_ms = end_ms - DAYS * DAY_MS
    found = core.lake.query(_VISITORS, (start_ms, end_ms, measure), start_ms=start_ms, end_ms=end_ms)
    with core.store.read() as session:
        grants = Grants.read(session, MEASURE)
    person = found.column("person_id").to_numpy()
    root = grants.roots_of(person)
    person, root = person[grants.allow(root)], root[grants.allow(root)]
    units = np.unique(root)
    if len(units) < 2:
        return len(units), None
    members = pa.table([person, root, np.full(len(root), start_ms)], schema=MEMBERS)
    table = pa.table({"unit": units, "start_ms": np.full(len(units), start_ms), "arm": np.zeros(len(units), np.int64)})
    currency = core.config.settings.project.currency
    request = SumsRequest((wanted,), measure, currency, exponent(currency), end_ms)
    return len(units), unit_sums(core.lake, request, members, table).get(Group(0), {}).get(wanted.name)
