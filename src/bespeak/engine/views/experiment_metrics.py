"""The metrics of an experiment: sums from the lake, compared, with p-values raised for being many."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bespeak.engine.views.experiment_report import Compared, MetricReport, Role, SubgroupReport
from bespeak.errors import InvalidInput
from bespeak.measure.comparison import Comparison, compare
from bespeak.measure.metrics import Metric, has_past, sums_of
from bespeak.measure.multiplicity import benjamini_hochberg, holm
from bespeak.measure.pair import metric as metric_of
from bespeak.measure.sequential import MIN_CONVERSIONS
from bespeak.measure.subgroups import compare_subgroups
from bespeak.measure.sums import Sums
from bespeak.measure.words import sentence
from bespeak.storage.statistics import Group, RawSums, Wanted

ALPHA = 0.05
AllSums = Mapping[Group, Mapping[str, RawSums]]


@dataclass(frozen=True, eq=False)
class Measured:
    """The sums of an experiment's metrics, and how its arms are named.

    Attributes:
        arms: variants by their place; control: place of the control.
        wanted: metric -> what was asked for.
    """

    arms: Sequence[str]
    control: int
    wanted: Mapping[str, Wanted]
    sums: AllSums

    def of(self, metric: str, arm: int, part: str = "", value: int = 0) -> RawSums | None:
        """The sums of one group; None where it holds fewer than two people."""
        raw = self.sums.get(Group(arm, part, value), {}).get(metric)
        return None if raw is None or raw.n < 2 else raw

    def variants(self) -> list[int]:
        """Places of the arms that are set beside the control."""
        return [place for place in range(len(self.arms)) if place != self.control]

    def compared(self, metric: Metric, arm: int, part: str = "", value: int = 0) -> Comparison | None:
        """One arm beside the control, at every look; None where a group is too small or has nothing to divide by."""
        pair = self.pair(metric, arm, part, value)
        if pair is None:
            return None
        try:
            return compare(*pair, is_proportion=metric.kind == "proportion", is_sequential=True, alpha=ALPHA)
        except InvalidInput:
            return None

    def pair(self, metric: Metric, arm: int, part: str = "", value: int = 0) -> tuple[Sums, Sums] | None:
        """Sums of the control and of one arm, adjusted where the time before tells anything."""
        control, variant = (self.of(metric.name, place, part, value) for place in (self.control, arm))
        if control is None or variant is None:
            return None
        is_adjusted = self.is_adjusted(metric) and has_past([control, variant])  # a part may have none: newcomers
        wanted = self.wanted[metric.name]
        return sums_of(control, wanted, is_adjusted=is_adjusted), sums_of(variant, wanted, is_adjusted=is_adjusted)

    def is_adjusted(self, metric: Metric) -> bool:
        """Whether the time before the assignment is known of every arm."""
        raws = [raw for place in range(len(self.arms)) if (raw := self.of(metric.name, place)) is not None]
        return self.wanted[metric.name].before is not None and has_past(raws)

    def n_least(self, metric: Metric) -> int:
        """People with a value in the arm that has the fewest."""
        found = [self.of(metric.name, place) for place in range(len(self.arms))]
        return min((0 if raw is None else raw.n_nonzero for raw in found), default=0)


def metric_reports(measured: Measured, metrics: Sequence[tuple[Role, Metric]]) -> list[MetricReport]:
    """Returns all metrics, the primary one first.

    The primary metric's p-values are raised for the number of variants (Holm), the secondary metrics' for all of them
    together (Benjamini and Hochberg); guardrails stand for themselves, so that harm is not overlooked.
    """
    found = {(metric.name, arm): measured.compared(metric, arm) if _is_ripe(measured, metric) else None
             for _, metric in metrics for arm in measured.variants()}  # fmt: skip
    raised: dict[tuple[str, int], float] = {}
    for role, correct in (("primary", holm), ("secondary", benjamini_hochberg), ("guardrail", list)):
        names = {metric.name for its, metric in metrics if its == role}
        told = {key: one.p_value for key, one in found.items() if key[0] in names and one and one.p_value is not None}
        raised |= dict(zip(told, correct(list(told.values())), strict=True)) if told else {}
    return [_metric_report(measured, role, metric, found, raised) for role, metric in metrics]


def _is_ripe(measured: Measured, metric: Metric) -> bool:
    return measured.n_least(metric) >= MIN_CONVERSIONS


def _metric_report(
    measured: Measured,
    role: Role,
    metric: Metric,
    found: Mapping[tuple[str, int], Comparison | None],
    raised: Mapping[tuple[str, int], float],
) -> MetricReport:
    control = measured.of(metric.name, measured.control)
    is_early = not _is_ripe(measured, metric)
    variants = []
    for arm in measured.variants():
        comparison = found[metric.name, arm]
        if comparison is not None:
            p = raised.get((metric.name, arm))
            names = measured.arms[measured.control], measured.arms[arm]
            variants.append(_compared(metric, names, comparison, p))
    return MetricReport(
        metric=metric.name,
        title=metric.shown,
        kind=metric.kind,
        role=role,
        good=metric.good,
        control_n=0 if control is None else control.n,
        control_mean=_mean(control, measured.wanted[metric.name]),
        is_early=is_early,
        n_least=measured.n_least(metric),
        is_adjusted=measured.is_adjusted(metric) and bool(variants),
        variance_removed=_removed(measured, metric) if variants else 0.0,
        variants=variants,
    )


def _compared(metric: Metric, names: tuple[str, str], found: Comparison, p_value: float | None) -> Compared:
    control, variant = names
    said = sentence(
        found, metric=metric.shown, kind=metric.kind, control=control, variant=variant, p_value=p_value, alpha=ALPHA
    )
    plain = Compared(
        variant=variant,
        n=found.variant_n,
        mean=found.variant,
        difference=found.difference,
        difference_interval=found.difference_interval,
        lift=found.lift,
        lift_interval=found.lift_interval,
        p_value=found.p_value,
        raised_p_value=p_value,
        is_told=p_value is not None and p_value < ALPHA,
        sentence=said,
    )
    if not metric.cost:
        return plain
    ends = found.difference_interval
    return msgspec.structs.replace(
        plain,
        return_on_investment=_return(metric, found.difference),
        return_interval=None if ends is None else (_return(metric, ends[0]), _return(metric, ends[1])),
    )


def _return(metric: Metric, difference: float) -> float:
    """(incremental margin - cost) / cost, of one person who is treated."""
    return (metric.margin * difference - metric.cost) / metric.cost


def _mean(raw: RawSums | None, wanted: Wanted) -> float | None:
    if raw is None or not raw.totals[1]:
        return None
    return metric_of(sums_of(raw, wanted, is_adjusted=False))


def _removed(measured: Measured, metric: Metric) -> float:
    """The share of the difference's variance that the time before takes away, over the first variant."""
    arm = measured.variants()[0]
    adjusted = measured.compared(metric, arm)
    raws = [measured.of(metric.name, place) for place in (measured.control, arm)]
    if adjusted is None or raws[0] is None or raws[1] is None or not measured.is_adjusted(metric):
        return 0.0
    wanted = measured.wanted[metric.name]
    bare = compare(*(sums_of(raw, wanted, is_adjusted=False) for raw in raws if raw is not None))
    if not bare.standard_error:
        return 0.0
    return max(0.0, 1 - (adjusted.standard_error / bare.standard_error) ** 2)


def subgroup_reports(
    measured: Measured, metric: Metric, parts: Mapping[str, tuple[str, Mapping[int, str]]]
) -> tuple[list[SubgroupReport], dict[str, float | None]]:
    """The primary metric in each part, and whether the first variant's effect differs between a part's values.

    p-values are raised for all comparisons that are shown here, of every part and variant (Holm): whoever looks at ten
    segments finds one of them by chance else. Those of effects being alike are raised for their number, too.

    Args:
        parts: column of the units -> (what it parts by, value -> label).
    """
    if not _is_ripe(measured, metric):
        return [], {}
    reports: list[SubgroupReport] = []
    p_values: list[float | None] = []
    differ: dict[str, float | None] = {}
    for arm in measured.variants():
        for column, (part, labels) in parts.items():
            pairs = {label: measured.pair(metric, arm, column, value) for value, label in labels.items()}
            held = {label: pair for label, pair in pairs.items() if pair is not None and _can_be_compared(pair)}
            if len(held) < 2:
                continue
            found = compare_subgroups(held, is_proportion=metric.kind == "proportion", alpha=ALPHA)
            if arm == measured.variants()[0]:
                differ[part] = found.differ_p_value
            p_values += [one.comparison.p_value for one in found.parts]
            reports += [
                SubgroupReport(
                    part=part,
                    label=one.name,
                    variant=measured.arms[arm],
                    n=one.comparison.control_n + one.comparison.variant_n,
                    control_mean=one.comparison.control,
                    mean=one.comparison.variant,
                    lift=one.comparison.lift,
                    lift_interval=one.comparison.lift_interval,
                    raised_p_value=None,
                )
                for one in found.parts
            ]
    raised = [msgspec.structs.replace(one, raised_p_value=p) for one, p in zip(reports, _holm(p_values), strict=True)]
    return raised, dict(zip(differ, _holm(list(differ.values())), strict=True))


def _holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Raised for the number of those there are."""
    told = iter(holm([p for p in p_values if p is not None]))
    return [None if p is None else next(told) for p in p_values]


def _can_be_compared(pair: tuple[Sums, Sums]) -> bool:
    return all(sums.means[1] and sums.means[3] and math.isfinite(sums.means[0]) for sums in pair)
