"""The reports of configured experiments: what each tells so far, or what is still needed.

Everybody is compared by the variant they were first assigned to, whatever they saw later; outcomes count from that
moment until the experiment is stopped. Intervals hold at every look (see `measure.sequential`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bespeak.decide.trial import INCUMBENT, Trial
from bespeak.engine.clock import iso
from bespeak.engine.core import Core
from bespeak.engine.settings import ExperimentSettings
from bespeak.engine.trials import trial_named
from bespeak.engine.trying.policies import Versions, arm_of
from bespeak.engine.trying.runs import Run, read_runs, versioned
from bespeak.engine.views.experiment_metrics import Measured, metric_reports, subgroup_reports
from bespeak.engine.views.experiment_report import (
    OVER,
    ArmReport,
    ExperimentReport,
    MetricReport,
    Role,
    State,
)
from bespeak.engine.views.experiment_units import MIXED, NEWCOMER, Units
from bespeak.engine.views.experiment_words import of_guardrail, of_preference, of_primary, of_return
from bespeak.engine.views.foreign_money import left_out
from bespeak.engine.views.interleavings import credits_of
from bespeak.errors import InvalidInput
from bespeak.measure.interleaving import Preference, preference
from bespeak.measure.metrics import Metric
from bespeak.measure.planner import ASSUMED_RATE, ENOUGH_FOR_A_RATE, Plan, days_needed
from bespeak.measure.sample_ratio import BROKEN, SampleRatio, check_sample_ratio
from bespeak.signals.counts import counted
from bespeak.signals.money import exponent
from bespeak.storage.lake.sums import unit_sums
from bespeak.storage.statistics import SumsRequest
from bespeak.storage.tables import assignments
from bespeak.storage.tables.log import DAY_MS


class ExperimentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of experiments."""

    name: str
    placement: str
    kind: str
    state: State
    variants: list[str]
    primary: str
    n_assigned: int


def experiment_rows(core: Core) -> list[ExperimentRow]:
    """Returns the configured experiments, by name."""
    with core.store.read() as session:
        runs, sizes = read_runs(session), assignments.sizes(session)
    return [
        ExperimentRow(
            name=name,
            placement=trial.placement,
            kind=trial.kind,
            state=state_of(trial, runs.get(name), core.now_ms()),
            variants=list(trial.spread.expected()),
            primary=core.config.settings.experiments[name].primary,
            n_assigned=sizes.get(name, 0),
        )
        for name, trial in core.config.trials.items()
    ]


def experiment_report(core: Core, name: str) -> ExperimentReport:
    """Returns what an experiment tells. The lake is read as it stands: `lake_feed.feed` brings it up to date.

    Raises:
        UnknownName: the active configuration has no such experiment.
    """
    trial = trial_named(core.config.trials, name)
    return _Reporter(core, trial, core.config.settings.experiments[name], _runs(core).get(name)).report()


def state_of(trial: Trial, run: Run | None, now_ms: int) -> State:
    """Whether an experiment waits for its start, runs, was stopped by command, or ended by the file."""
    if run is not None and run.stopped_ms is not None:
        return "stopped"
    if trial.stop_ms is not None and trial.stop_ms <= now_ms:
        return "ended"
    start_ms = run.started_ms if run is not None and run.started_ms is not None else trial.start_ms
    return "waiting" if start_ms is not None and now_ms < start_ms else "running"


def _runs(core: Core) -> dict[str, Run]:
    with core.store.read() as session:
        return read_runs(session)


class _Reporter:
    """Makes the report of one experiment."""

    def __init__(self, core: Core, trial: Trial, settings: ExperimentSettings, run: Run | None) -> None:
        self._core = core
        self._settings = settings
        self._now_ms = core.now_ms()
        self._state = state_of(trial, run, self._now_ms)
        ends = [time for time in (trial.stop_ms, run.stopped_ms if run else None) if time is not None]
        self._end_ms = min([self._now_ms + 1, *ends])
        with core.store.read() as session:
            self._versions = Versions.read(session)
        self._trial = versioned(trial, self._versions)
        self._variants = list(settings.variants) if trial.kind != "interleave" else ["interleaved"]
        self._control = settings.control or self._variants[0]
        self._units = Units.read(core, trial.name, self._variants, settings.subgroups)

    def report(self) -> ExperimentReport:
        arms = self._arms()
        sizes = self._sizes(arms)
        is_broken = sizes is not None and sizes.is_broken
        is_mixing = self._trial.kind == "interleave"
        measured = None if is_broken or is_mixing or not len(self._units.person) else self._measured()
        metrics = [] if measured is None else metric_reports(measured, self._metrics())
        parts = {NEWCOMER: ("first seen", {1: "newcomers", 0: "known before"})} | {
            f"segment_{n}": (f"segment {name}", {1: f"in {name}", 0: f"not in {name}"})
            for n, name in enumerate(self._settings.subgroups)
        }
        subgroups, differ = ([], {}) if measured is None else subgroup_reports(measured, self._primary(), parts)
        preferred = self._preference() if is_mixing else None
        n_more = None if measured is None and self._units.person.size else self._more_people(measured, metrics)
        n_days = self._days(n_more)
        is_early = not metrics or metrics[0].is_early
        without = {} if measured is None or is_early else self._without_mixed(measured)
        return ExperimentReport(
            name=self._trial.name,
            placement=self._trial.placement,
            kind=self._trial.kind,
            state=self._state,
            started_ms=int(self._units.start_ms.min()) if len(self._units.person) else None,
            arms=arms,
            sample_ratio=None if sizes is None else sizes.p_value,
            is_broken=is_broken,
            metrics=metrics,
            subgroups=subgroups,
            differ_p_values=differ,
            n_mixed=int(self._units.parts[MIXED].sum()),
            without_mixed=without,
            preference=preferred,
            smallest_lift=self._settings.smallest_lift,
            n_more_people=n_more,
            n_more_days=n_days,
            sentences=self._sentences(arms, sizes, metrics, preferred, n_more, n_days, without),
            teams=list(self._trial.arms) if is_mixing else [],
        )

    @property
    def _is_over(self) -> bool:
        """Whether nobody more takes part."""
        return self._state in OVER

    # -- people --------------------------------------------------------------------------------------------------------
    def _arms(self) -> list[ArmReport]:
        counts = self._units.counts(len(self._variants))
        shares = {"interleaved": 1.0} if self._trial.kind == "interleave" else self._trial.spread.expected()
        return [
            ArmReport(
                variant=variant,
                is_control=variant == self._control,
                share=shares[variant],
                policy=self._policy(variant),
                n_assigned=int(counts[place]),
                n_people=int((self._units.may_measure & (self._units.arm == place)).sum()),
            )
            for place, variant in enumerate(self._variants)
        ]

    def _policy(self, variant: str) -> str:
        if self._trial.kind == "interleave":
            return "+".join(policy.name for policy in self._trial.arms.values() if policy is not None)
        policy = self._trial.arms[variant]
        return INCUMBENT if policy is None else policy.name

    def _sizes(self, arms: Sequence[ArmReport]) -> SampleRatio | None:
        """Who was assigned, also those who left the comparison since."""
        counted = {arm.variant: arm.n_assigned for arm in arms if arm.share > 0}
        if len(counted) < 2 or not sum(counted.values()):
            return None
        return check_sample_ratio(counted, {arm.variant: arm.share for arm in arms if arm.share > 0})

    # -- metrics -------------------------------------------------------------------------------------------------------
    def _metrics(self) -> list[tuple[Role, Metric]]:
        settings, known = self._settings, self._core.config.metrics
        named: list[tuple[Role, str]] = [("primary", settings.primary)]
        named += [("secondary", name) for name in settings.secondary]
        named += [("guardrail", name) for name in settings.guardrails]
        roles: dict[str, Role] = {}
        for role, name in named:
            roles.setdefault(name, role)
        return [(role, known[name]) for name, role in roles.items()]

    def _primary(self) -> Metric:
        return self._core.config.metrics[self._settings.primary]

    def _measured(self) -> Measured:
        config = self._core.config
        wanted = {metric.name: metric.wanted(self._settings.pre_days) for _, metric in self._metrics()}
        currency = config.settings.project.currency
        request = SumsRequest(
            tuple(wanted.values()), config.purposes.measure, currency, exponent(currency), self._end_ms
        )
        members, units = self._units.tables()
        sums = unit_sums(self._core.lake, request, members, units, tuple(self._units.parts))
        return Measured(self._variants, self._variants.index(self._control), wanted, sums)

    def _without_mixed(self, measured: Measured) -> dict[str, float]:
        """Variant -> lift without people of several variants; withheld where one variant has more of them."""
        if not self._units.parts[MIXED].any() or self._is_mixed_unequally():
            return {}
        primary = self._primary()
        found = {arm: measured.compared(primary, arm, MIXED, 0) for arm in measured.variants()}
        return {self._variants[arm]: one.lift for arm, one in found.items() if one is not None and one.lift is not None}

    def _is_mixed_unequally(self) -> bool:
        is_mixed, control = self._units.parts[MIXED] == 1, self._variants.index(self._control)
        return any(self._units.differ(is_mixed, control, place) for place in self._others())

    def _others(self) -> list[int]:
        return [place for place, variant in enumerate(self._variants) if variant != self._control]

    # -- interleaving --------------------------------------------------------------------------------------------------
    def _preference(self) -> Preference:
        teams = list(self._trial.arms)
        return preference(credits_of(self._core, self._trial.name, (teams[0], teams[1]), self._units, self._end_ms))

    # -- planning ------------------------------------------------------------------------------------------------------
    def _more_people(self, measured: Measured | None, metrics: Sequence[MetricReport]) -> int | None:
        """How many more people the smallest lift of interest needs; None where the primary metric is told."""
        if self._trial.kind == "interleave" or any(one.is_told for found in metrics[:1] for one in found.variants):
            return None
        plan = self._plan(measured)
        if plan is None:
            return None
        arms = [arm for arm in self._arms() if arm.is_control or arm.share > 0]
        n_people = sum(arm.n_people for arm in arms)
        of_pair = plan.units_needed(self._settings.smallest_lift * plan.mean)
        return max(0, round(of_pair / self._pair_share()) - n_people)

    def _pair_share(self) -> float:
        """The share of those who take part that the control and the smallest other variant make up."""
        shares = self._trial.spread.expected()
        return shares[self._control] + min(
            (shares[self._variants[place]] for place in self._others() if shares[self._variants[place]] > 0),
            default=shares[self._control],
        )

    def _plan(self, measured: Measured | None) -> Plan | None:
        primary = self._primary()
        share = 1 - self._trial.spread.expected()[self._control] / self._pair_share()
        if not 0 < share < 1:
            return None
        raw = None if measured is None else measured.of(primary.name, measured.control)
        has_rate = raw is not None and raw.n_nonzero >= ENOUGH_FOR_A_RATE
        try:
            if primary.kind == "proportion":
                rate = raw.n_nonzero / raw.n if has_rate and raw is not None else ASSUMED_RATE
                if rate * (1 + self._settings.smallest_lift) >= 1:
                    return None  # no rate can rise so far
                return Plan.of_rate(rate, share=share, is_sequential=True)
            if not has_rate or measured is None:
                return None
            pair = measured.pair(primary, measured.variants()[0])
            return None if pair is None else Plan.of_sums(pair[0], share=share, is_sequential=True)
        except InvalidInput:
            return None

    def _days(self, n_more: int | None) -> int | None:
        if n_more is None or not len(self._units.person) or self._is_over:
            return None
        days = max(1.0, (self._end_ms - int(self._units.start_ms.min())) / DAY_MS)
        return days_needed(n_more, len(self._units.person) / days)

    # -- words ---------------------------------------------------------------------------------------------------------
    def _sentences(
        self,
        arms: Sequence[ArmReport],
        sizes: SampleRatio | None,
        metrics: Sequence[MetricReport],
        preferred: Preference | None,
        n_more: int | None,
        n_days: int | None,
        without: Mapping[str, float],
    ) -> list[str]:
        if not len(self._units.person):
            said = ["Nobody has been assigned yet."]
        elif sizes is not None and sizes.is_broken:
            return [BROKEN, *self._of_changes()]
        elif preferred is not None:
            said = [of_preference(preferred, list(self._trial.arms)), *self._of_lost_votes()]
        else:
            said = [line for found in metrics[:1] for line in of_primary(found)]
        if self._trial.kind == "aa":
            said.append("The arms do not differ: whatever looks told here is a false alarm.")
        if sizes is not None and sizes.is_doubtful:
            said.append(f"Somebody should look: the sizes of the variants are unlikely (p = {sizes.p_value:.2g}).")
        if n_more:
            days = "" if n_days is None else f", about {counted(n_days, 'day')} at the pace so far"
            would = "would have shown" if self._is_over else "would show"
            more = counted(n_more, "more person", "more people")
            said.append(f"A lift of {self._settings.smallest_lift:.0%} {would} with about {more}{days}.")
        said += [one.sentence for found in metrics[1:] for one in found.variants if one.is_told]
        said += [line for found in metrics if found.role == "guardrail" for line in of_guardrail(found)]
        said += [line for found in metrics for one in found.variants for line in of_return(one)]
        said += self._of_changes() + self._of_people(without)
        return said + ([] if not metrics else self._of_other_money())

    def _of_other_money(self) -> list[str]:
        """Amounts in other currencies than the project's."""
        members, _ = self._units.tables()
        metrics = [metric for _, metric in self._metrics()]
        return left_out(self._core, metrics, members, int(self._units.start_ms.min()), self._end_ms)

    def _of_lost_votes(self) -> list[str]:
        """Whether slates are so old that nothing is left to tell whose item was clicked."""
        days = self._core.config.settings.retention.decisions_days
        if not days or int(self._units.start_ms.min()) >= self._now_ms - days * DAY_MS:
            return []
        return [f"Watch out: decisions are kept for {counted(days, 'day')}; clicks on earlier slates count no more."]

    def _of_changes(self) -> list[str]:
        """What was changed in the file since the first person was assigned."""
        if not len(self._units.person):
            return []
        started_ms = int(self._units.start_ms.min())
        said = []
        for variant, policy in self._trial.arms.items():
            if policy is None:
                continue
            what_for = arm_of(self._trial.name, variant)
            changed_ms = self._versions.changed_ms(
                self._trial.placement, policy.name, what_for, since_ms=started_ms, until_ms=self._end_ms
            )
            if changed_ms is not None:
                said.append(f"Watch out: the settings of {variant} were changed on {iso(changed_ms)[:10]}; the "
                            "figures are of before and after together.")  # fmt: skip
        n_gone = int((self._units.arm < 0).sum())
        if n_gone:
            said.append(f"Watch out: {counted(n_gone, 'person was', 'people were')} in a variant that the file has no "
                        "more; no figure counts them.")  # fmt: skip
        return said

    def _of_people(self, without: Mapping[str, float]) -> list[str]:
        """What could spoil the comparison: unequal withdrawals, and people who saw several variants."""
        control = self._variants.index(self._control)
        said = [
            line for place in self._others() for line in self._units.unequal_withdrawals(self._variants, control, place)
        ]
        n_mixed = int(self._units.parts[MIXED].sum())
        if n_mixed and without:
            lifts = ", ".join(f"{variant} {lift:+.1%}" for variant, lift in without.items())
            said.append(f"Without the {counted(n_mixed, 'person')} who saw several variants the lift is: {lifts}.")
        elif n_mixed and self._others() and self._is_mixed_unequally():
            said.append(f"{n_mixed:,} people saw several variants, unequally many: no figure leaves them out.")
        return said
