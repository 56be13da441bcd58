"""What an experiment says: the values that reports, pages and files show."""

from __future__ import annotations

from typing import Literal

import msgspec

from bespeak.measure.interleaving import Preference
from bespeak.measure.words import Kind

Role = Literal["primary", "secondary", "guardrail"]
State = Literal["waiting", "running", "stopped", "ended"]


class ArmReport(msgspec.Struct, frozen=True, kw_only=True):
    """The people of one variant.

    Attributes:
        share: of those who take part that should be here.
        policy: what decides for them.
        n_assigned: everybody who was assigned; n_people: of them those who still agree to being measured.
    """

    variant: str
    is_control: bool
    share: float
    policy: str
    n_assigned: int
    n_people: int


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A variant beside the control in one metric. Intervals are of 95 % and hold at every look.

    Attributes:
        mean: the metric as it stands; difference and lift are adjusted for the time before where that was possible.
        p_value: as it is; raised_p_value: raised for the number of comparisons it stands among.
        is_told: whether the raised p-value is below 0.05.
        return_on_investment: (margin * difference - cost) / cost, with its interval, where the metric has a cost.
    """

    variant: str
    n: int
    mean: float
    difference: float
    difference_interval: tuple[float, float] | None
    lift: float | None
    lift_interval: tuple[float, float] | None
    p_value: float | None
    raised_p_value: float | None
    is_told: bool
    sentence: str
    return_on_investment: float | None = None
    return_interval: tuple[float, float] | None = None


class MetricReport(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of all variants.

    Attributes:
        good: which way is better.
        control_n, control_mean: of the control.
        is_early: too few people of a variant have a value for the intervals to hold; nothing is compared.
        n_least: people with a value in the variant that has the fewest.
        is_adjusted: whether the time before the assignment narrows the intervals.
        variance_removed: share of the variance that it takes away.
    """

    metric: str
    title: str
    kind: Kind
    role: Role
    good: Literal["up", "down"]
    control_n: int
    control_mean: float | None
    is_early: bool
    n_least: int
    is_adjusted: bool
    variance_removed: float
    variants: list[Compared]


class SubgroupReport(msgspec.Struct, frozen=True, kw_only=True):
    """The primary metric in one part of the people, known before they were assigned.

    Attributes:
        part: what they are parted by; label: this part.
        raised_p_value: of the variant's difference, raised for all comparisons of parts.
    """

    part: str
    label: str
    variant: str
    n: int
    control_mean: float
    mean: float
    lift: float | None
    lift_interval: tuple[float, float] | None
    raised_p_value: float | None


OVER: frozenset[State] = frozenset({"stopped", "ended"})
"""States in which nobody more takes part."""


class ExperimentReport(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment.

    Attributes:
        sample_ratio: p-value of the sizes of the variants; None before anybody was assigned.
        is_broken: the sizes cannot be chance, so nothing else is told.
        metrics: the primary one first; empty where nothing may be told.
        subgroups: with `differ_p_values`: part -> p-value of all its effects being alike, for the
            first variant, raised for the number of parts.
        without_mixed: variant -> lift of the primary metric without people who saw several variants; withheld, and
            empty, where it is too early for the lift with them, or where one variant has more of them.
        preference: of an interleaving; teams: the names of its first and its second policy, else empty.
        n_more_people, n_more_days: until the smallest lift of interest shows with 80 % power; None where it is told,
            or nothing is known to plan with.
        started_ms: when the first person was assigned.
    """

    name: str
    placement: str
    kind: Literal["ab", "aa", "interleave"]
    state: State
    started_ms: int | None
    arms: list[ArmReport]
    sample_ratio: float | None
    is_broken: bool
    metrics: list[MetricReport]
    subgroups: list[SubgroupReport]
    differ_p_values: dict[str, float | None]
    n_mixed: int
    without_mixed: dict[str, float]
    preference: Preference | None
    smallest_lift: float
    n_more_people: int | None
    n_more_days: int | None
    sentences: list[str]
    teams: list[str] = []

    @property
    def is_over(self) -> bool:
        """Whether nobody more takes part."""
        return self.state in OVER
