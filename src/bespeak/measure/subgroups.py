"""The effect in parts of the population, and whether it differs between them.

Each part is compared like the whole, and its p-value is raised for the number of parts (Holm). That one part's effect
differs from zero and another's does not is no difference between them; that is asked by Cochran's Q (1954):

    Q = sum_g (d_g - d)^2 / s_g^2,    d = sum_g d_g / s_g^2 / sum_g 1 / s_g^2

which is chi-square with one degree fewer than there are parts if all effects are the same. Parts must be disjoint and
known before the experiment; a part that the variant itself can change is no part but an outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.special import chdtrc

from bespeak.measure.comparison import Comparison, compare
from bespeak.measure.multiplicity import holm
from bespeak.measure.sums import Sums


@dataclass(frozen=True, slots=True)
class Subgroup:
    """One part.

    Attributes:
        name: of the part.
        comparison: its own, as if it stood alone.
        p_value: of the comparison, raised for the number of parts; None where nothing varies.
    """

    name: str
    comparison: Comparison
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Subgroups:
    """All parts, in the order given.

    Attributes:
        parts: one for each name.
        differ_p_value: how often equal effects look so different; None with fewer than two parts to compare.
    """

    parts: tuple[Subgroup, ...]
    differ_p_value: float | None


def compare_subgroups(
    groups: Mapping[str, tuple[Sums, Sums]], *, is_proportion: bool = False, alpha: float = 0.05
) -> Subgroups:
    """Compares variant and control in each part.

    Args:
        groups: part -> (control, variant); each needs two units a group.
        is_proportion, alpha: as of `compare`. One look is meant: parts are looked at once, at the end.

    Raises:
        InvalidInput: see `compare`.
    """
    found = {
        name: compare(control, variant, is_proportion=is_proportion, alpha=alpha)
        for name, (control, variant) in groups.items()
    }
    told = {name: comparison.p_value for name, comparison in found.items() if comparison.p_value is not None}
    raised = dict(zip(told, holm(list(told.values())), strict=True))
    parts = tuple(Subgroup(name, comparison, raised.get(name)) for name, comparison in found.items())
    return Subgroups(parts, _differ([found[name] for name in told]))


def _differ(found: list[Comparison]) -> float | None:
    if len(found) < 2:
        return None
    weights = [1 / comparison.standard_error**2 for comparison in found]
    common = sum(w * c.difference for w, c in zip(weights, found, strict=True)) / sum(weights)
    q = sum(w * (c.difference - common) ** 2 for w, c in zip(weights, found, strict=True))
    return float(chdtrc(len(found) - 1, q))
