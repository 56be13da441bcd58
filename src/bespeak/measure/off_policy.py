"""What another policy would have earned, from a log of choices made by the one that ran.

With w = target / propensity, q the reward that a model predicts of what was taken, v its prediction averaged over what
the evaluated policy takes, the value of one row is

ips      w r                                        Horvitz and Thompson 1952
snips    w r / mean w                               Swaminathan and Joachims 2015
dm       v                                          the model alone
dr       v + w (r - q)                              Dudik, Langford and Li 2011; the default
sndr     v + w (r - q) / mean w
switch   v + w (r - q) where w <= t, else v         Wang, Agarwal and Dudik 2017
dros     v + s (r - q), s = l w / (w^2 + l)         Su, Dimakopoulou, Krishnamurthy and Dudik 2020

ips and dr hit the truth on average where the propensities are true, however bad the model is; snips and sndr nearly so.
switch and dros give some of that up for less spread: t and l are those whose squared bias, as far as the log tells it,
plus variance is least. Their intervals, and dm's, know nothing of a bias.

The value of a slate is the sum over its positions; each position is normalised alone. Under the cascade w is the
product down to the row and v is weighted by the product before it (Kiyohara et al. 2022: ips is their RIPS, dr their
Cascade-DR).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy.special import stdtrit

from bespeak.errors import InvalidInput, UnknownName
from bespeak.measure.choices import Choices
from bespeak.measure.lift import Interval
from bespeak.measure.overlap import Overlap, overlap
from bespeak.measure.sums import Float64s

_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The value of a policy: mean reward of a decision.

    Attributes:
        name: of the estimator, "logged" for what the log's own policy earned.
        value, standard_error, interval: of the policy's value.
        difference, difference_error, difference_interval: of it less what the log's own policy earned, on the same
            decisions. None for the log's own.
    """

    name: str
    value: float
    standard_error: float
    interval: Interval
    difference: float | None = None
    difference_error: float | None = None
    difference_interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a log says of a policy.

    Attributes:
        logged: what the log's own policy earned.
        estimates: name -> estimate; empty when refused.
        overlap: how much can be said at all.
    """

    logged: Estimate
    estimates: Mapping[str, Estimate]
    overlap: Overlap

    @property
    def refusal(self) -> str:
        """Why there is no figure; "" where there is one."""
        if self.overlap.refusal or self.logged.standard_error:
            return self.overlap.refusal
        return f"Every decision earned the same ({self.logged.value:.4g}), so nothing tells what earns more."


@dataclass(frozen=True, eq=False)
class _Value:
    """A value, and for each decision what it adds to the error: float64[n_decisions] that add up to about 0."""

    value: float
    apart: Float64s


def evaluate(choices: Choices, estimators: Sequence[str] = ("dr",), *, alpha: float = 0.05) -> Evaluation:
    """Estimates the value of a policy, or refuses where the log says too little of it.

    Args:
        choices: the log; it needs a reward model for all but ips and snips.
        estimators: names of `ESTIMATORS`.
        alpha: 1 - level of the intervals.

    Raises:
        UnknownName: there is no such estimator.
        InvalidInput: an estimator needs a reward model, fewer than two units, or alpha out of range.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> took = rng.random(5000) < 0.5                       # either of two actions, evenly
        >>> reward = (rng.random(5000) < np.where(took, 0.3, 0.1)).astype(float)
        >>> always = Choices(reward, np.full(5000, 0.5), took.astype(float))
        >>> found = evaluate(always, ["ips"]).estimates["ips"]
        >>> round(found.value, 2), found.interval.low < 0.3 < found.interval.high
        (0.3, True)
    """
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha {alpha} must lie between 0 and 1.", hint="0.05 gives intervals of 95 %.")
    for name in known_estimators(estimators):
        if name in NEEDING_MODEL and choices.predicted is None:
            raise InvalidInput(f"'{name}' needs a reward model.", hint="Without one there are ips and snips.")
        if name in _NOT_IN_CASCADE and choices.assumption == "cascade":
            raise InvalidInput(f"There is no '{name}' under the cascade.", hint="Take dr.")
    if int(choices.units.max()) < 1:
        raise InvalidInput("A spread cannot be told from one decision or one person.")
    own = _plain(choices, choices.reward)
    found = Evaluation(_estimate("logged", own, choices, alpha), {}, overlap(choices))
    if found.refusal:
        return found
    estimates = {name: _estimate(name, ESTIMATORS[name](choices), choices, alpha, own) for name in estimators}
    return replace(found, estimates=estimates)


def compare(of: Choices, beside: Choices, estimator: str = "dr", *, alpha: float = 0.05) -> Estimate:
    """Estimates the value of a policy, and its difference from that of another one on the same rows.

    What both would do alike falls out of the difference, so that it is told more closely than either value.

    Args:
        of, beside: the same log with both policies laid beside it.
        estimator: of `ESTIMATORS`; alpha: as `evaluate`.

    Raises:
        InvalidInput: the rows are not the same.

    Example:
        >>> log = Choices(np.tile([1.0, 0.0], 500), np.full(1000, 0.5), np.full(1000, 0.5))
        >>> compare(log, log, "ips").difference_interval
        Interval(low=0.0, high=0.0)
    """
    if len(of.reward) != len(beside.reward) or not (of.reward == beside.reward).all():
        raise InvalidInput("Two policies can be compared on the same log only.")
    values = [ESTIMATORS[known_estimators([estimator])[0]](choices) for choices in (of, beside)]
    return _estimate(estimator, values[0], of, alpha, values[1])


def known_estimators(names: Sequence[str]) -> Sequence[str]:
    """Returns the names; raises `UnknownName` with those there are where one is none."""
    for name in names:
        if name not in ESTIMATORS:
            raise UnknownName("estimator", name, list(ESTIMATORS))
    return names


def _ips(choices: Choices) -> _Value:
    return _plain(choices, choices.weights * choices.reward)


def _snips(choices: Choices) -> _Value:
    return _normalised(choices, choices.reward)


def _dm(choices: Choices) -> _Value:
    """Under the cascade the prediction at the first position is that of the whole slate."""
    _, expected = _model(choices)
    is_whole = choices.assumption == "cascade"
    return _plain(choices, np.where(choices.positions == 0, expected, 0.0) if is_whole else expected)


def _dr(choices: Choices) -> _Value:
    return _corrected(choices, choices.weights)


def _sndr(choices: Choices) -> _Value:
    predicted, expected = _model(choices)
    model = _plain(choices, choices.weights_before * expected)
    rest = _normalised(choices, choices.reward - predicted)
    return _Value(model.value + rest.value, model.apart + rest.apart)


def _switch(choices: Choices) -> _Value:
    weights = choices.weights
    return _least_error(choices, [np.where(weights <= most, weights, 0.0) for most in _spread(weights)])


def _dros(choices: Choices) -> _Value:
    weights = choices.weights
    tried = [most**2 * weights / (weights**2 + most**2) for most in _spread(weights)]
    return _least_error(choices, [*tried, weights])


ESTIMATORS: Mapping[str, Callable[[Choices], _Value]] = MappingProxyType(
    {"ips": _ips, "snips": _snips, "dm": _dm, "dr": _dr, "sndr": _sndr, "switch": _switch, "dros": _dros}
)
"""Name -> what works it out."""

NEEDING_MODEL = frozenset(("dm", "dr", "sndr", "switch", "dros"))
"""The estimators that need a reward model."""

_NOT_IN_CASCADE = frozenset(("switch", "dros"))  # their weights of a row would not fit those of the next


def _model(choices: Choices) -> tuple[Float64s, Float64s]:
    assert choices.predicted is not None
    assert choices.expected is not None
    return choices.predicted, choices.expected


def _plain(choices: Choices, terms: Float64s) -> _Value:
    """The mean over decisions of the sum of their rows' terms."""
    sums = choices.per_decision(terms)
    mean = float(sums.mean())
    return _Value(mean, sums - mean)


def _normalised(choices: Choices, terms: Float64s) -> _Value:
    """The same of weighted terms, each position divided by its mean weight; the spread by the delta method."""
    weights, positions = choices.weights, choices.positions
    totals = np.bincount(positions, weights)
    means = np.bincount(positions, weights * terms) / np.where(totals > 0, totals, 1.0)
    sizes = np.bincount(positions) / choices.n_decisions  # a position that few slates reach adds as much less
    scales = np.where(totals > 0, np.bincount(positions) / np.where(totals > 0, totals, 1.0), 0.0)
    apart = choices.per_decision(weights * (terms - means[positions]) * scales[positions])
    return _Value(float(means @ sizes), apart)


def _corrected(choices: Choices, weights: Float64s) -> _Value:
    predicted, expected = _model(choices)
    return _plain(choices, choices.weights_before * expected + weights * (choices.reward - predicted))


def _spread(weights: Float64s) -> list[float]:
    """Thresholds to try, ascending: quantiles of the weights above 0."""
    above = weights[weights > 0]
    return np.unique(np.quantile(above, _QUANTILES)).tolist() if len(above) else [1.0]


def _least_error(choices: Choices, tried: Sequence[Float64s]) -> _Value:
    """The value with those weights whose squared bias plus variance is least, as far as the log tells."""
    predicted, _ = _model(choices)
    missed = choices.reward - predicted

    def error(weights: Float64s) -> float:
        bias = float(choices.per_decision((weights - choices.weights) * missed).mean())
        return math.hypot(bias, _error(choices, _corrected(choices, weights).apart))

    return _corrected(choices, min(tried, key=error))


def _estimate(name: str, found: _Value, choices: Choices, alpha: float, own: _Value | None = None) -> Estimate:
    error, ends = _around(choices, found, alpha)
    if own is None:
        return Estimate(name, found.value, error, ends)
    between = _Value(found.value - own.value, found.apart - own.apart)
    return Estimate(name, found.value, error, ends, between.value, *_around(choices, between, alpha))


def _around(choices: Choices, found: _Value, alpha: float) -> tuple[float, Interval]:
    """The standard error of a mean over decisions and its interval; decisions of a unit depend on one another.

    Weights are skewed: a log that happens to lack the few heavy rows gives a low mean and a low spread at once, and
    symmetric intervals miss the truth above them. Hall's transformation of the t statistic takes the skewness out
    ("On the removal of skewness by transformation", 1992); without skewness it changes nothing.
    """
    sums = np.bincount(choices.units, found.apart)
    m = len(sums)
    squares = float(sums @ sums)
    if not squares:
        return 0.0, Interval(found.value, found.value)
    error = math.sqrt(squares * m / (m - 1)) / choices.n_decisions
    skewness = float((sums**3).mean()) / (squares / m) ** 1.5
    tilt: float = skewness / math.sqrt(m)

    def back(quantile: float) -> float:
        """The t statistic whose transform is a quantile."""
        if abs(tilt) < 1e-9:
            return quantile
        root = float(np.cbrt(1 + tilt * (quantile - tilt / 6)))
        return 3 / tilt * (root - 1)

    reach = float(stdtrit(m - 1, 1 - alpha / 2))
    return error, Interval(found.value - error * back(reach), found.value - error * back(-reach))


def _error(choices: Choices, apart: Float64s) -> float:
    sums = np.bincount(choices.units, apart)
    return float(np.linalg.norm(sums)) / choices.n_decisions
