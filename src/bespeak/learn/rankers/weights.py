"""Weights of a placement's score, learned from what was shown and what came of it.

The default weights are the prior: they say how signals compare, the data say how much a unit of score is worth
(`unit`) and where they were wrong. With m the default weights, fitted to what people chose out of their slates,

    share of an item = e * exp(sum(w_j * value_j)) / (the same summed over its slate)
    w_j ~ N(unit * m_j, (unit * doubt * (1/2 + |m_j|))^2)

with e how likely its position is looked at, and w_j keeps the sign of m_j unless the placement says otherwise. Slates
are compared with none but themselves, so what people who choose much are shown does not pass for what is chosen much.
What is served is w / unit: where data is scarce that is m, and thresholds and temperatures in units of the score keep
their meaning. `logistic(intercept + slope * score)` is then fitted to be the chance of a reward, given that the item is
looked at.

The past is walked through: decisions up to a cut are fitted, those up to the next cut judge. Weights are taken over
only where they make what people chose out of these later slates likelier than those in use do, by an interval over
people, and do not order the slates worse. Then they are fitted on everything. Learned weights that are in use are
judged by what was shown after they were learned: they fit what they were learned from better than anything new can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from bespeak.learn.intervals import Interval, difference_interval
from bespeak.learn.rankers.position_bias import PositionBias, position_bias
from bespeak.learn.rankers.shown import ShownItems, choice_likelihood, reordered_gain
from bespeak.measure.reliability import Bin, auc, reliability
from bespeak.models.predictors.choices import ChoiceFit, Choices, fit_choices
from bespeak.models.predictors.logistic import LogisticFit, Rows, dispersion_of, fit_logistic
from bespeak.models.predictors.newton import Prior

Bools: TypeAlias = npt.NDArray[np.bool_]
Float64s: TypeAlias = npt.NDArray[np.float64]
Sign: TypeAlias = Literal["positive", "negative", "free", "fixed"]

MIN_SHOWN = 1_000
MIN_REWARDED = 100
MIN_PEOPLE = 30
MIN_JUDGED = 20
FITTED_SHARE = 0.7
"""Of the decisions, what trees are fitted on."""

CUTS = (0.4, 0.6, 0.8)
"""Shares of the decisions that are fitted before those up to the next cut judge: 60 % of what was shown has a say."""

_DOUBTS = (0.1, 0.3, 1.0, 3.0)
_UNIT = Prior(np.array([0.5]), np.array([0.5]), np.array([0.05]), np.array([np.inf]))
"""Of what a unit of score is worth."""

_FIGHTS = 2.0
_ALIKE = 0.5
_LEAST_CHANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class WeightedScore:
    """A linear score fitted to rewards.

    Attributes:
        weights: float64[f], in units of the default score.
        standard_errors: float64[f], of `weights`; 0 where a bound holds one.
        intercept, slope: chance of a reward = logistic(intercept + slope * score).
        doubt: how far weights may stand from the defaults, chosen by the evidence.
        is_held: bool[f], at the bound of its sign.
    """

    weights: Float64s
    standard_errors: Float64s
    intercept: float
    slope: float
    doubt: float
    is_held: Bools

    def probabilities(self, values: Float64s) -> Float64s:
        """float64[n]: the calibrated chance of a reward of items that are looked at."""
        return np.asarray(expit(self.intercept + self.slope * (values @ self.weights)))


@dataclass(frozen=True, slots=True, eq=False)
class LearnedWeights:
    """What was learned for one placement.

    Attributes:
        names: f signals.
        usual: float64[f], the default weights.
        score: fitted on everything.
        bias: how likely positions are looked at.
        likelier: how much likelier they make what people chose out of the later slates than the weights in use do: the
            logarithm, per slate, with its 95 % interval over people.
        gain: of the later slates in their order less that in the order of the weights in use, as a share of the latter,
            with its interval; see `reordered_gain`.
        auc, current_auc: how well the chances by both tell the later rewards.
        calibration: chances of the later rows beside what came of them, rows of alike chance together.
        n_shown, n_rewarded, n_decisions, n_people: what it was learned from.
        warnings: signals that fight, in sentences.
        judged: fitted on the first part alone that can be judged.
        judged_from_ms: the first moment of what judges it: neither it nor the weights in use were fitted on that.
    """

    names: tuple[str, ...]
    usual: Float64s
    score: WeightedScore
    bias: PositionBias
    likelier: Interval
    gain: Interval
    auc: float
    current_auc: float
    calibration: tuple[Bin, ...]
    n_shown: int
    n_rewarded: int
    n_decisions: int
    n_people: int
    warnings: tuple[str, ...]
    judged: WeightedScore
    judged_from_ms: int

    @property
    def is_better(self) -> bool:
        """Whether they tell what people choose better than those in use, beyond chance, and order no worse.

        What an order would bring hangs on how likely positions are looked at: a guessed curve vetoes nothing.
        """
        return self.likelier.above_zero and not (self.gain.below_zero and self.bias.curve.is_harvested)


def missing_rows(shown: ShownItems, window_ms: int, since_ms: int = 0) -> str:
    """What is missing to learn weights, as the end of a sentence; "" for nothing.

    Args:
        shown: what there is.
        window_ms: the attribution window: what fits must end that long before what judges begins.
        since_ms: as `learn_weights`.

    Example:
        >>> from bespeak.learn.rankers.shown import no_rows
        >>> missing_rows(no_rows(), 1)
        '1,000 shown items, 100 outcomes and 30 people are missing'
    """
    pairs = (
        (MIN_SHOWN - len(shown), "shown items"),
        (MIN_REWARDED - shown.n_rewarded, "outcomes"),
        (MIN_PEOPLE - shown.n_people, "people"),
    )
    said = [f"{n:,} {what}" for n, what in pairs if n > 0]
    if not said and not any(_can_judge(shown, *parts) for parts in _walk(shown, window_ms, since_ms)):
        if since_ms:
            return "more outcomes since those in use were learned are missing"
        return "more days are missing: what fits must lie an attribution window before what judges"
    return "" if not said else f"{', '.join(said[:-1])}{' and ' if said[:-1] else ''}{said[-1]} are missing"


def learn_weights(
    shown: ShownItems,
    usual: Float64s,
    current: Float64s,
    *,
    window_ms: int,
    since_ms: int = 0,
    signs: Mapping[str, Sign] | None = None,
    seed: int = 0,
) -> LearnedWeights:
    """Learns weights and compares them with those in use.

    Args:
        shown: enough rows (`missing_rows` says "").
        usual: float64[f], default weight of each of `shown.names`.
        current: float64[n], the score of each row by the weights that decisions use now.
        window_ms: within which rewards count.
        since_ms: the weights in use were learned from what was shown until then; what judges comes later.
        signs: signal or `family.*` -> the sign it keeps; "free" for any, "fixed" to hold the default weight. What is
            not named keeps the sign of its default weight; without one it is free.
        seed: of the bootstrap.
    """
    allowed = [_sign_of(name, weight, signs or {}) for name, weight in zip(shown.names, usual, strict=True)]
    judged = _judged(shown, usual, current, allowed, _walk(shown, window_ms, since_ms))
    later = judged.shown
    bias = position_bias(shown)
    return LearnedWeights(
        names=shown.names,
        usual=usual,
        score=fit_score(shown, usual, allowed, bias),
        bias=bias,
        likelier=likelier_by(later, expit(judged.odds), expit(judged.held_odds), seed),
        gain=gain_by(later, judged.scores, judged.held_scores, judged.examination, seed),
        auc=auc(later.rewards > 0, judged.chances),
        current_auc=auc(later.rewards > 0, judged.held_chances),
        calibration=tuple(reliability(later.rewards, judged.chances)),
        n_shown=len(shown),
        n_rewarded=shown.n_rewarded,
        n_decisions=shown.n_decisions,
        n_people=shown.n_people,
        warnings=tuple(_fights(shown, usual, allowed, bias)),
        judged=judged.first,
        judged_from_ms=int(later.times_ms.min()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Rows that judge, each by weights fitted before it, and by those in use (`held`); arrays are float64[n].

    Attributes:
        first: the weights that were fitted on the least: all of the rows judge them.
        odds, held_odds: of being chosen out of the slate, as logarithms.
        chances, held_chances: of a reward.
    """

    shown: ShownItems
    first: WeightedScore
    examination: Float64s
    scores: Float64s
    held_scores: Float64s
    odds: Float64s
    held_odds: Float64s
    chances: Float64s
    held_chances: Float64s


def _judged(
    shown: ShownItems, usual: Float64s, current: Float64s, allowed: Sequence[Sign], parts: Iterable[tuple[Bools, Bools]]
) -> _Judged:
    columns = np.zeros((6, len(shown)))
    judges = np.zeros(len(shown), np.bool_)
    fits: list[WeightedScore] = []
    for is_earlier, is_later in parts:
        if not _can_judge(shown, is_earlier, is_later):
            continue
        earlier, later = shown.select(is_earlier), shown.select(is_later)
        bias = position_bias(earlier)
        looked = bias.examination_of(later)
        fit = fit_score(earlier, usual, allowed, bias)
        ours = _foretold(earlier, earlier.values @ fit.weights, bias, later.values @ fit.weights, looked)
        held = _foretold(earlier, current[is_earlier], bias, current[is_later], looked)
        columns[:, is_later] = looked, later.values @ fit.weights, ours[0], held[0], ours[1], held[1]
        judges |= is_later
        fits.append(fit)
    looked, scores, odds, held_odds, chances, held_chances = columns[:, judges]
    return _Judged(
        shown=shown.select(judges),
        first=fits[0],
        examination=looked,
        scores=scores,
        held_scores=current[judges],
        odds=odds,
        held_odds=held_odds,
        chances=chances,
        held_chances=held_chances,
    )


def _foretold(
    earlier: ShownItems, scores: Float64s, bias: PositionBias, later: Float64s, looked: Float64s
) -> tuple[Float64s, Float64s]:
    """(log odds of being chosen, chances of a reward) of later scores, by what they were worth before."""
    unit, _ = _unit(earlier, scores, bias)
    held = _calibrated(earlier, scores, bias, _UNIT)
    return np.log(looked) + unit * (later - scores.mean()), looked * expit(held.logits(later[:, None]))


def _walk(shown: ShownItems, window_ms: int, since_ms: int) -> Iterator[tuple[Bools, Bools]]:
    """(bool[n], bool[n]): what is fitted, and what judges; of each cut."""
    nothing = np.zeros(len(shown), np.bool_)
    parts = [shown.cut(share, window_ms) for share in CUTS]
    for (is_earlier, is_later), (_, is_next) in pairwise([*parts, (nothing, nothing)]):
        yield is_earlier, is_later & ~is_next & (shown.times_ms > since_ms)


def _can_judge(shown: ShownItems, is_earlier: Bools, is_later: Bools) -> bool:
    return all(np.count_nonzero(shown.rewards[part]) >= MIN_JUDGED for part in (is_earlier, is_later))


def fit_score(
    shown: ShownItems,
    usual: Float64s,
    allowed: Sequence[Sign],
    bias: PositionBias,
    *,
    doubts: Sequence[float] = _DOUBTS,
) -> WeightedScore:
    """Fits the weights of one set of rows.

    Args:
        shown: the rows.
        usual: float64[f], the default weights.
        allowed: the sign of each.
        bias: how likely positions are looked at.
        doubts: how far weights may stand from the default ones; the one with the best evidence is taken.
    """
    choices = _choices(shown, shown.values, bias)
    unit, dispersion = _unit(shown, shown.values @ usual, bias)
    tried = [(fit_choices(choices, _prior(usual, unit, d, allowed), dispersion=dispersion), d) for d in doubts]
    best, doubt = max(tried, key=lambda pair: pair[0].evidence)
    weights = best.weights / unit
    chance = _calibrated(shown, shown.values @ weights, bias, _UNIT)
    return WeightedScore(
        weights=weights,
        standard_errors=best.standard_errors / unit,
        intercept=chance.intercept,
        slope=float(chance.weights[0]),
        doubt=doubt,
        is_held=best.is_held,
    )


def likelier_by(shown: ShownItems, chances: Float64s, held: Float64s, seed: int) -> Interval:
    """How much likelier chances make what people chose than others do, per slate, as a logarithm; over people."""
    ours, people = choice_likelihood(shown, np.clip(chances, _LEAST_CHANCE, 1 - _LEAST_CHANCE))
    theirs, _ = choice_likelihood(shown, np.clip(held, _LEAST_CHANCE, 1 - _LEAST_CHANCE))
    return difference_interval(ours, theirs, np.random.default_rng(seed), groups=_codes(people))


def gain_by(shown: ShownItems, scores: Float64s, held: Float64s, looked: Float64s, seed: int) -> Interval:
    """What slates would bring in the order of scores beyond that of others, as a share of the latter; over people."""
    ours, theirs = (reordered_gain(shown, used, looked) for used in (scores, held))
    people = shown.people[np.searchsorted(shown.decisions, np.unique(shown.decisions))]
    base = float(theirs.mean()) if theirs.any() else 1.0
    return difference_interval(ours / base, theirs / base, np.random.default_rng(seed), groups=_codes(people))


def _calibrated(shown: ShownItems, scores: Float64s, bias: PositionBias, prior: Prior | None = None) -> LogisticFit:
    """Intercept and slope of given scores."""
    return fit_logistic(Rows.of(scores[:, None], shown.rewards, bias.examination_of(shown)), prior or Prior.none(1))


def _choices(shown: ShownItems, values: Float64s, bias: PositionBias) -> Choices:
    return Choices.of(values, shown.rewards, bias.examination_of(shown), shown.decisions)


def _unit(shown: ShownItems, scores: Float64s, bias: PositionBias) -> tuple[float, float]:
    """(how much a unit of a score is worth in what people choose, dispersion of the rewards around it)."""
    held = _calibrated(shown, scores, bias, _UNIT)
    dispersion = dispersion_of(Rows.of(scores[:, None], shown.rewards, bias.examination_of(shown)), held)
    return float(fit_choices(_choices(shown, scores[:, None], bias), _UNIT).weights[0]), dispersion


def _prior(usual: Float64s, unit: float, doubt: float, allowed: Sequence[Sign]) -> Prior:
    means = unit * usual
    low = np.array([0.0 if sign == "positive" else -np.inf for sign in allowed])
    high = np.array([0.0 if sign == "negative" else np.inf for sign in allowed])
    is_fixed = np.array([sign == "fixed" for sign in allowed], np.bool_)
    low[is_fixed] = high[is_fixed] = means[is_fixed]
    return Prior(np.clip(means, low, high), unit * doubt * (0.5 + np.abs(usual)), low, high)


def _sign_of(name: str, weight: float, signs: Mapping[str, Sign]) -> Sign:
    family = name.partition(".")[0] + ".*"
    for key in (name, family):
        if key in signs:
            return signs[key]
    return "positive" if weight > 0 else "negative" if weight < 0 else "free"


def _fights(shown: ShownItems, usual: Float64s, allowed: Sequence[Sign], bias: PositionBias) -> list[str]:
    """Names each signal that the data would give the other sign, and the signal that it stands against."""
    free: list[Sign] = ["fixed" if sign == "fixed" else "free" for sign in allowed]
    unit, dispersion = _unit(shown, shown.values @ usual, bias)
    prior = _prior(usual, unit, _DOUBTS[-1], free)
    fit = fit_choices(_choices(shown, shown.values, bias), prior, dispersion=dispersion)
    said = []
    for place, sign in enumerate(allowed):
        wanted = {"positive": 1.0, "negative": -1.0}.get(sign, 0.0)
        if wanted * fit.weights[place] < -_FIGHTS * fit.standard_errors[place]:
            said.append(_fight(shown, place, fit, unit, sign))
    return said


def _fight(shown: ShownItems, place: int, fit: ChoiceFit, unit: float, sign: Sign) -> str:
    name, weight = shown.names[place], fit.weights[place] / unit
    kept = f"the data give {name} the weight {weight:+.2f}, and it must be {sign}, so it is 0"
    spread = shown.values.std(axis=0)
    likeness = np.zeros(len(shown.names))
    used = spread > 0
    centred = (shown.values[:, used] - shown.values[:, used].mean(axis=0)) / spread[used]
    likeness[used] = centred.T @ ((shown.values[:, place] - shown.values[:, place].mean()) / spread[place]) / len(shown)
    likeness[place] = 0.0
    other = int(np.argmax(np.abs(likeness)))
    if abs(likeness[other]) < _ALIKE:
        return f"{kept[:1].upper()}{kept[1:]}."
    return f"{name} says much the same as {shown.names[other]} (correlation {likeness[other]:.2f}): beside it {kept}."


def _codes(people: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    return np.unique(people, return_inverse=True)[1].astype(np.int32)
