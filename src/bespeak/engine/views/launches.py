"""What each launch and holdout tells so far: the lift of personalization over its control, or what is still needed.

Everybody is compared by the variant they were first assigned to, whatever they saw later. Outcomes count from that
moment on. Intervals hold at every look (see `measure.sequential`), so a report may be read every day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.decide.launch import CONTROL, PERSONALIZED
from bespeak.engine.core import Core
from bespeak.engine.logged.granted import GRANT_COLUMNS, granted_rows
from bespeak.engine.trying.runs import decided_launches
from bespeak.measure.assignment import Experiment
from bespeak.measure.comparison import Comparison, compare
from bespeak.measure.metrics import CONVERSION, TURNED_TO, sql_of
from bespeak.measure.planner import Plan, days_needed
from bespeak.measure.sample_ratio import check_sample_ratio
from bespeak.measure.sequential import MIN_CONVERSIONS
from bespeak.measure.sums import Sums
from bespeak.measure.words import sentence
from bespeak.signals.purposes import MEASURE
from bespeak.storage.tables import assignments, people
from bespeak.storage.tables.assignments import Assignment
from bespeak.storage.tables.log import DAY_MS

PLANNED_LIFT = 0.1
ASSUMED_RATE = 0.02
_ENOUGH_FOR_A_RATE = 20


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """The people of one variant.

    Attributes:
        n_assigned: everybody who was assigned and may still be counted.
        n_people: of them those who still agree to being measured: who is compared.
        n_converted: of these, who did what the metric `conversion_rate` counts since they were assigned; n_engaged:
            who turned to any item.
    """

    variant: str
    n_assigned: int
    n_people: int
    n_converted: int
    n_engaged: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of both variants, in shares of people; lift is relative, its interval holds at every look."""

    metric: str
    control: float
    personalized: float
    lift: float | None
    lift_interval: tuple[float, float] | None
    p_value: float | None


class LaunchReport(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment of a placement.

    Attributes:
        is_running: whether people are still assigned to it.
        sample_ratio: p-value of the sizes of the variants; None before anybody was assigned.
        is_told: whether the interval of the conversion rate's lift leaves zero out.
        outcomes: conversion and engagement rate; empty while too few converted, or where the sizes are wrong.
        n_more_people, n_more_days: until a lift of `PLANNED_LIFT` shows with 80 % power; None when it is told, or when
            nothing may be read; no days while nobody came.
    """

    placement: str
    experiment: str
    is_running: bool
    arms: list[Arm]
    sample_ratio: float | None
    is_told: bool
    outcomes: list[Outcome]
    n_more_people: int | None
    n_more_days: int | None
    sentences: list[str]


@dataclass(frozen=True, eq=False)
class _Units:
    """The people of one experiment as columns."""

    person: npt.NDArray[np.int64]
    first_ms: npt.NDArray[np.int64]
    is_control: npt.NDArray[np.bool_]
    is_mixed: npt.NDArray[np.bool_]
    may_measure: npt.NDArray[np.bool_]
    converted: npt.NDArray[np.bool_]
    engaged: npt.NDArray[np.bool_]

    def arm(self, variant: str) -> Arm:
        chosen = self.is_control if variant == CONTROL else ~self.is_control
        counted = chosen & self.may_measure
        return Arm(
            variant=variant,
            n_assigned=int(chosen.sum()),
            n_people=int(counted.sum()),
            n_converted=int((counted & self.converted).sum()),
            n_engaged=int((counted & self.engaged).sum()),
        )

    def compared(self, happened: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> Comparison | None:
        """Both variants in one metric, None where one of them holds nobody."""
        control, treated = among & self.is_control, among & ~self.is_control
        if control.sum() < 2 or treated.sum() < 2:
            return None
        return compare(
            Sums.of(happened[control].astype(float)),
            Sums.of(happened[treated].astype(float)),
            is_proportion=True,
            is_sequential=True,
        )


def launch_reports(core: Core) -> list[LaunchReport]:
    """Returns a report for every experiment that runs or ran on a placement, by placement."""
    core.drain()  # who was assigned a moment ago is counted too
    with core.store.read() as session:
        decided = decided_launches(session)
        found = {name: assignments.assigned_to(session, name) for name in assignments.experiments(session)}
        refusing = people.refusing(session, "measure")
    running = {experiment.name: (name, experiment) for name, experiment in core.world.launches.items()}
    wanted = {name: placement for name, (placement, _) in running.items()}
    wanted |= {f"{placement}-launch": placement for placement in decided}
    reports = []
    for name, placement in sorted(wanted.items(), key=lambda pair: (pair[1], pair[0])):
        assigned = found.get(name, [])
        units = _units(core, assigned, refusing)
        experiment = running[name][1] if name in running else None
        reports.append(_report(placement, name, experiment, units, core.now_ms()))
    return reports


def _units(core: Core, assigned: Sequence[Assignment], refusing: set[int]) -> _Units:
    person = np.array([a.person for a in assigned], np.int64)
    first_ms = np.array([a.first_ms for a in assigned], np.int64)
    converted, engaged = np.zeros(len(person), bool), np.zeros(len(person), bool)
    if len(person):
        engaged[_who(core, TURNED_TO, person, first_ms)] = True
        converted[_who(core, sql_of(core.config.metrics[CONVERSION].of), person, first_ms)] = True
    return _Units(
        person=person,
        first_ms=first_ms,
        is_control=np.array([a.variant == CONTROL for a in assigned], bool),
        is_mixed=np.array([a.is_mixed for a in assigned], bool),
        may_measure=~np.isin(person, np.array(sorted(refusing), np.int64)),
        converted=converted,
        engaged=engaged,
    )


def _who(
    core: Core, where: str, person: npt.NDArray[np.int64], first_ms: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Places in `person`, which ascends, of those of whom a signal since their assignment meets a condition."""
    table = core.lake.read("signals", GRANT_COLUMNS, where, start_ms=int(first_ms.min()))
    rows, keep = granted_rows(core, table, purpose=MEASURE)
    place: npt.NDArray[np.int64] = np.minimum(np.searchsorted(person, rows), len(person) - 1)
    keep &= person[place] == rows
    keep &= table.column("time_ms").to_numpy() >= first_ms[place]
    return place[keep]


def _report(placement: str, name: str, experiment: Experiment | None, units: _Units, now_ms: int) -> LaunchReport:
    arms = [units.arm(CONTROL), units.arm(PERSONALIZED)]
    counts = {arm.variant: arm.n_assigned for arm in arms}
    sizes = check_sample_ratio(counts, experiment.expected()) if experiment and sum(counts.values()) else None
    conversion = units.compared(units.converted, units.may_measure)
    is_early = min(arm.n_converted for arm in arms) < MIN_CONVERSIONS
    is_broken = sizes is not None and sizes.is_broken
    held = None if is_early or is_broken else conversion
    interval = held.lift_interval if held is not None else None
    is_told = interval is not None and (interval.low > 0 or interval.high < 0)
    n_more = None if is_told or is_broken or experiment is None else _more_people(arms, experiment)
    n_days = None
    if n_more is not None and len(units.person):
        days = max(1.0, (now_ms - int(units.first_ms.min())) / DAY_MS)
        n_days = days_needed(n_more, len(units.person) / days)
    outcomes = []
    if held is not None:
        engagement = units.compared(units.engaged, units.may_measure)
        pairs: Mapping[str, Comparison | None] = {"conversion rate": held, "engagement rate": engagement}
        outcomes = [_outcome(metric, found) for metric, found in pairs.items() if found is not None]
    return LaunchReport(
        placement=placement,
        experiment=name,
        is_running=experiment is not None,
        arms=arms,
        sample_ratio=None if sizes is None else sizes.p_value,
        is_told=is_told,
        outcomes=outcomes,
        n_more_people=n_more,
        n_more_days=n_days,
        sentences=_sentences(arms, units, held, n_more, n_days, is_broken=is_broken, is_early=is_early),
    )


def _outcome(metric: str, found: Comparison) -> Outcome:
    return Outcome(
        metric=metric,
        control=found.control,
        personalized=found.variant,
        lift=found.lift,
        lift_interval=found.lift_interval,
        p_value=found.p_value,
    )


def _more_people(arms: Sequence[Arm], experiment: Experiment) -> int:
    """How many more people a lift of `PLANNED_LIFT` needs, from the rate of both variants, or from a usual one."""
    n_people, n_converted = sum(arm.n_people for arm in arms), sum(arm.n_converted for arm in arms)
    has_rate = _ENOUGH_FOR_A_RATE <= n_converted < n_people / (1 + PLANNED_LIFT)
    rate = n_converted / n_people if has_rate else ASSUMED_RATE
    plan = Plan.of_rate(rate, share=experiment.expected()[PERSONALIZED], is_sequential=True)
    return max(0, plan.units_needed(PLANNED_LIFT * rate) - n_people)


def _sentences(
    arms: Sequence[Arm],
    units: _Units,
    held: Comparison | None,
    n_more: int | None,
    n_days: int | None,
    *,
    is_broken: bool,
    is_early: bool,
) -> list[str]:
    said = []
    if is_broken:
        said.append(
            "The variants are not as large as they should be: assignment or recording is broken. Nothing may be read."
        )
    elif held is not None:
        said.append(sentence(held, metric="converted", kind="proportion", control=CONTROL, variant=PERSONALIZED,
                             p_value=held.p_value))  # fmt: skip
    elif is_early:
        least = min(arm.n_converted for arm in arms)
        said.append(f"Too early to tell: {least} of the {MIN_CONVERSIONS} conversions that each variant needs.")
    if n_more:
        days = "" if n_days is None else f", about {n_days:,} days at the pace so far"
        said.append(f"A lift of {PLANNED_LIFT:.0%} would show with about {n_more:,} more people{days}.")
    said += _guardrails(arms, units, held)
    return said


def _guardrails(arms: Sequence[Arm], units: _Units, held: Comparison | None) -> list[str]:
    """What could spoil the comparison: unequal withdrawals, and people who saw both variants."""
    said = []
    withdrew = units.compared(~units.may_measure, np.ones(len(units.person), bool))
    if withdrew is not None and withdrew.p_value is not None and withdrew.p_value < 0.05:
        shares = ", ".join(f"{1 - arm.n_people / arm.n_assigned:.1%} of {arm.variant}" for arm in arms)
        said.append(f"Watch out: people withdrew their consent at different rates ({shares}).")
    n_mixed = int(units.is_mixed.sum())
    if n_mixed and held is not None:
        mixed = units.compared(units.is_mixed, units.may_measure)
        differs = mixed is not None and mixed.p_value is not None and mixed.p_value < 0.05
        apart = None if differs else units.compared(units.converted, units.may_measure & ~units.is_mixed)
        if apart is not None and apart.lift is not None:
            said.append(f"Without the {n_mixed:,} people who saw both variants the lift is {apart.lift:+.1%}.")
        elif differs:
            said.append(f"{n_mixed:,} people saw both variants, unequally many: no figure leaves them out.")
    return said


INTERFERENCE = (
    "Models learn from both variants and stock is shared, so the control gains from what the others do: the lift of "
    "personalization for everybody may be larger or smaller than between the variants."
)
