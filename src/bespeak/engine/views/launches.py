"""What each launch and holdout tells so far: the lift of personalization over its control, or what is still needed.

Everybody is compared by the variant they were first assigned to, whatever they saw later. Outcomes count from that
moment on, of a launch until it was decided: from then on most of its control are personalized, too. Intervals hold at
every look (see `measure.sequential`), so a report may be read every day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from bespeak.decide.launch import CONTROL, PERSONALIZED
from bespeak.engine.core import Core
from bespeak.engine.trying.runs import decided_launches, launch_ends
from bespeak.engine.views.experiment_metrics import AllSums, Measured
from bespeak.engine.views.experiment_units import MIXED, Units
from bespeak.measure.assignment import Experiment
from bespeak.measure.comparison import Comparison
from bespeak.measure.metrics import BUILT_IN, CONVERSION, ENGAGEMENT, Metric
from bespeak.measure.planner import ASSUMED_RATE, ENOUGH_FOR_A_RATE, Plan, days_needed
from bespeak.measure.sample_ratio import BROKEN, check_sample_ratio
from bespeak.measure.sequential import MIN_CONVERSIONS
from bespeak.measure.words import sentence
from bespeak.signals.counts import counted
from bespeak.signals.money import exponent
from bespeak.storage.lake.sums import unit_sums
from bespeak.storage.statistics import Group, SumsRequest
from bespeak.storage.tables.log import DAY_MS

VARIANTS = (CONTROL, PERSONALIZED)
_CONTROL, _PERSONALIZED = 0, 1
PLANNED_LIFT = 0.1


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
        n_more_people, n_more_days: until a lift of `PLANNED_LIFT` shows with 80 % power; None when it is told, when
            nothing may be read, or where so many convert that no rate can rise so far; no days while nobody came.
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


def launch_reports(core: Core) -> list[LaunchReport]:
    """Returns a report for every experiment that runs or ran on a placement, by placement."""
    with core.store.read() as session:
        decided, ends = decided_launches(session), launch_ends(session)
    running = {experiment.name: (name, experiment) for name, experiment in core.world.launches.items()}
    wanted = {name: placement for name, (placement, _) in running.items()}
    wanted |= {f"{placement}-launch": placement for placement in decided}
    reports = []
    for name, placement in sorted(wanted.items(), key=lambda pair: (pair[1], pair[0])):
        experiment = running[name][1] if name in running else None
        end_ms = core.now_ms() + 1
        if experiment is None and placement in ends:
            end_ms = min(end_ms, ends[placement] + 1)
        launched = _Launched.read(core, name, end_ms)
        reports.append(_report(placement, name, experiment, launched, core.now_ms()))
    return reports


@dataclass(frozen=True, eq=False)
class _Launched:
    """The people of one launch, and the sums of what they did since they were assigned.

    Attributes:
        conversion, engagement: both as shares of people, whatever else the project's own metrics make of them.
    """

    units: Units
    measured: Measured
    conversion: Metric
    engagement: Metric

    @classmethod
    def read(cls, core: Core, name: str, end_ms: int) -> _Launched:
        units = Units.read(core, name, VARIANTS, ())
        shares = [Metric(name=CONVERSION, of=core.config.metrics[CONVERSION].of), BUILT_IN[ENGAGEMENT]]
        wanted = {metric.name: metric.wanted() for metric in shares}
        members, counted = units.tables()
        sums: AllSums = {}
        if counted.num_rows:
            currency = core.config.settings.project.currency
            request = SumsRequest(
                tuple(wanted.values()), core.config.purposes.measure, currency, exponent(currency), end_ms
            )
            sums = unit_sums(core.lake, request, members, counted, (MIXED,))
        return cls(units, Measured(VARIANTS, _CONTROL, wanted, sums), *shares)

    def arm(self, place: int) -> Arm:
        sums = self.measured.sums.get(Group(place), {})
        return Arm(
            variant=VARIANTS[place],
            n_assigned=int((self.units.arm == place).sum()),
            n_people=int((self.units.may_measure & (self.units.arm == place)).sum()),
            n_converted=sums[CONVERSION].n_nonzero if CONVERSION in sums else 0,
            n_engaged=sums[ENGAGEMENT].n_nonzero if ENGAGEMENT in sums else 0,
        )

    def compared(self, metric: Metric) -> Comparison | None:
        return self.measured.compared(metric, _PERSONALIZED)

    def converted_unmixed(self) -> Comparison | None:
        """The conversion rate of those who saw one variant only."""
        return self.measured.compared(self.conversion, _PERSONALIZED, MIXED, 0)


def _report(placement: str, name: str, experiment: Experiment | None, launched: _Launched, now_ms: int) -> LaunchReport:
    units = launched.units
    arms = [launched.arm(_CONTROL), launched.arm(_PERSONALIZED)]
    counts = {arm.variant: arm.n_assigned for arm in arms}
    sizes = check_sample_ratio(counts, experiment.expected()) if experiment and sum(counts.values()) else None
    is_early = min(arm.n_converted for arm in arms) < MIN_CONVERSIONS
    is_broken = sizes is not None and sizes.is_broken
    held = None if is_early or is_broken else launched.compared(launched.conversion)
    interval = held.lift_interval if held is not None else None
    is_told = interval is not None and (interval.low > 0 or interval.high < 0)
    n_more = None if is_told or is_broken or experiment is None else _more_people(arms, experiment)
    n_days = None
    if n_more is not None and len(units.person):
        days = max(1.0, (now_ms - int(units.start_ms.min())) / DAY_MS)
        n_days = days_needed(n_more, len(units.person) / days)
    outcomes = []
    if held is not None:
        pairs = {"conversion rate": held, "engagement rate": launched.compared(launched.engagement)}
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
        sentences=_sentences(arms, launched, held, n_more, n_days, is_broken=is_broken, is_early=is_early),
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


def _more_people(arms: Sequence[Arm], experiment: Experiment) -> int | None:
    """How many more people a lift of `PLANNED_LIFT` needs, from the rate of both variants, or from a usual one.

    None where nearly everybody converts, so that no rate can rise so far.
    """
    n_people, n_converted = sum(arm.n_people for arm in arms), sum(arm.n_converted for arm in arms)
    rate = n_converted / n_people if n_converted >= ENOUGH_FOR_A_RATE else ASSUMED_RATE
    if rate * (1 + PLANNED_LIFT) >= 1:
        return None
    plan = Plan.of_rate(rate, share=experiment.expected()[PERSONALIZED], is_sequential=True)
    return max(0, plan.units_needed(PLANNED_LIFT * rate) - n_people)


def _sentences(
    arms: Sequence[Arm],
    launched: _Launched,
    held: Comparison | None,
    n_more: int | None,
    n_days: int | None,
    *,
    is_broken: bool,
    is_early: bool,
) -> list[str]:
    said = []
    if is_broken:
        said.append(BROKEN)
    elif held is not None:
        said.append(sentence(held, metric="converted", kind="proportion", control=CONTROL, variant=PERSONALIZED,
                             p_value=held.p_value))  # fmt: skip
    elif is_early:
        least = min(arm.n_converted for arm in arms)
        said.append(f"Too early to tell: {least} of the {MIN_CONVERSIONS} conversions that each variant needs.")
    if n_more:
        days = "" if n_days is None else f", about {counted(n_days, 'day')} at the pace so far"
        more = counted(n_more, "more person", "more people")
        said.append(f"A lift of {PLANNED_LIFT:.0%} would show with about {more}{days}.")
    said += _guardrails(launched, held)
    return said


def _guardrails(launched: _Launched, held: Comparison | None) -> list[str]:
    """What could spoil the comparison: unequal withdrawals, and people who saw both variants."""
    units = launched.units
    said = units.unequal_withdrawals(VARIANTS, _CONTROL, _PERSONALIZED)
    is_mixed = units.parts[MIXED] == 1
    n_mixed = int(is_mixed.sum())
    if n_mixed and held is not None:
        if units.differ(is_mixed, _CONTROL, _PERSONALIZED):
            said.append(f"{n_mixed:,} people saw both variants, unequally many: no figure leaves them out.")
            return said
        apart = launched.converted_unmixed()
        if apart is not None and apart.lift is not None:
            said.append(
                f"Without the {counted(n_mixed, 'person')} who saw both variants the lift is {apart.lift:+.1%}."
            )
    return said


INTERFERENCE = (
    "Models learn from both variants and stock is shared, so the control gains from what the others do: the lift of "
    "personalization for everybody may be larger or smaller than between the variants."
)
