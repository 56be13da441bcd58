"""Whether the groups are as big as they should be. If not, units were lost or moved, and no other figure counts.

Pearson's chi-square of the counts against the shares that were meant. A mismatch shows what a comparison cannot
survive: a redirect that loses people, a bot filter that meets one variant only, a broken assignment (Fabijan, Gupchup,
Gupta et al. 2019, "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments", KDD). Count those who were
assigned, not those who were seen to do something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.special import chdtrc

from bespeak.errors import InvalidInput, UnknownName

BROKEN_BELOW = 0.001
BROKEN = "The variants are not as large as they should be: assignment or recording is broken. Nothing may be read."
"""p-value below which no result may be read from the experiment."""

DOUBTFUL_BELOW = 0.01
"""p-value below which somebody should look."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """How surprising the sizes of the groups are.

    Attributes:
        statistic: chi-square.
        p_value: how often an assignment that works gives sizes so far off.
    """

    statistic: float
    p_value: float

    @property
    def is_broken(self) -> bool:
        """Whether no result may be read from the experiment."""
        return self.p_value < BROKEN_BELOW

    @property
    def is_doubtful(self) -> bool:
        """Whether somebody should look."""
        return self.p_value < DOUBTFUL_BELOW


def check_sample_ratio(counts: Mapping[str, int], expected: Mapping[str, float] | None = None) -> SampleRatio:
    """Compares the sizes of groups with what was meant.

    Args:
        counts: group -> units assigned to it.
        expected: group -> its share, in any unit; equal when None.

    Raises:
        InvalidInput: fewer than two groups, no units, or shares that do not fit the groups.

    Example:
        >>> found = check_sample_ratio({"gate_30": 44_700, "gate_40": 45_489})
        >>> round(found.p_value, 5), found.is_broken, found.is_doubtful
        (0.00861, False, True)
        >>> check_sample_ratio({"a": 900, "b": 110}, {"a": 0.9, "b": 0.1}).is_doubtful
        False
    """
    n = sum(counts.values())
    if len(counts) < 2 or n == 0:
        raise InvalidInput("Sizes can be compared of two groups or more that hold units.")
    shares = dict.fromkeys(counts, 1.0) if expected is None else dict(expected)
    for name in shares:
        if name not in counts:
            raise UnknownName("variant", name, list(counts))
    for name in counts:
        if not 0 < shares.get(name, 0) < float("inf"):
            raise InvalidInput(f"The expected share of '{name}' must be above zero.", hint="Name one for each variant.")
    total = sum(shares.values())
    statistic = sum((counts[name] - n * share / total) ** 2 / (n * share / total) for name, share in shares.items())
    return SampleRatio(statistic, float(chdtrc(len(counts) - 1, statistic)))
