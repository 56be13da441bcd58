"""One line for everything that is being compared: launches, holdouts and experiments, with what is still needed."""

from __future__ import annotations

import msgspec

from bespeak.engine.core import Core
from bespeak.engine.views.experiment_report import OVER, Compared, ExperimentReport, MetricReport
from bespeak.engine.views.experiments import experiment_report
from bespeak.engine.views.launches import PLANNED_LIFT, LaunchReport, launch_reports


class LiftRow(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison of a variant with its control, in the metric that decides.

    Attributes:
        kind: launch, ab, aa or interleave.
        what: the metric, and the variant where there are several.
        lift, lift_interval: relative, holding at every look; None where nothing may be told yet.
        verdict: `better`, `worse`, `open` or `broken`.
        n_more_people, n_more_days: until a lift of `smallest_lift` shows; None where it is told or nothing is known.
    """

    name: str
    placement: str
    kind: str
    state: str
    what: str
    n_people: int
    lift: float | None
    lift_interval: tuple[float, float] | None
    verdict: str
    smallest_lift: float
    n_more_people: int | None
    n_more_days: int | None
    sentence: str

    @property
    def is_over(self) -> bool:
        """Whether nobody more takes part."""
        return self.state in OVER


def lift_rows(core: Core) -> list[LiftRow]:
    """Returns launches first, then experiments by name. The lake is read as it stands."""
    return [*(_of_launch(found) for found in launch_reports(core)), *experiment_lifts(core)]


def experiment_lifts(core: Core) -> list[LiftRow]:
    """Returns a line for each variant of each experiment, by name. The lake is read as it stands."""
    rows: list[LiftRow] = []
    for name in core.config.trials:
        found = experiment_report(core, name)
        compared = [(metric, one) for metric in found.metrics[:1] for one in metric.variants]
        rows += [_of_variant(found, metric, one) for metric, one in compared] or [_of_none(found)]
    return rows


def _of_launch(found: LaunchReport) -> LiftRow:
    told = found.outcomes[0] if found.outcomes else None
    is_up = told is not None and told.lift_interval is not None and told.lift_interval[0] > 0
    is_broken = found.sample_ratio is not None and found.sample_ratio < 0.001
    return LiftRow(
        name=found.experiment,
        placement=found.placement,
        kind="launch",
        state="running" if found.is_running else "ended",
        what="conversion rate",
        n_people=sum(arm.n_people for arm in found.arms),
        lift=None if told is None else told.lift,
        lift_interval=None if told is None else told.lift_interval,
        verdict="broken" if is_broken else ("better" if is_up else "worse") if found.is_told else "open",
        smallest_lift=PLANNED_LIFT,
        n_more_people=found.n_more_people,
        n_more_days=found.n_more_days,
        sentence=found.sentences[0] if found.sentences else "",
    )


def _of_variant(found: ExperimentReport, metric: MetricReport, one: Compared) -> LiftRow:
    is_better = (one.difference > 0) == (metric.good == "up")
    row = _of_none(found)
    return msgspec.structs.replace(
        row,
        what=metric.title if len(metric.variants) == 1 else f"{metric.title}, {one.variant}",
        lift=one.lift,
        lift_interval=one.lift_interval,
        verdict=("better" if is_better else "worse") if one.is_told else "open",
        sentence=one.sentence,
    )


def _of_none(found: ExperimentReport) -> LiftRow:
    votes = found.preference
    return LiftRow(
        name=found.name,
        placement=found.placement,
        kind=found.kind,
        state=found.state,
        what="votes" if votes is not None else found.metrics[0].title if found.metrics else "",
        n_people=sum(arm.n_people for arm in found.arms),
        lift=None,
        lift_interval=None,
        verdict="broken" if found.is_broken else "open",
        smallest_lift=found.smallest_lift,
        n_more_people=found.n_more_people,
        n_more_days=found.n_more_days,
        sentence=found.sentences[0] if found.sentences else "",
    )
