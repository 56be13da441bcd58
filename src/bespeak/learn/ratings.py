"""Foretelling ratings: which settings are used, and how far the predictions are off, beside simple baselines.

Ratings are cut by time. Every later rating is one question, answered as it would be in use: the items are known from
before the cut, the person from all that they rated until that moment. Where the ratings carry no times, a fifth of
them is held out at random, and a person is known by the rest. Settings are chosen on the same cut of the earlier part,
so the figures are of ratings that nothing was chosen on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from bespeak.learn.intervals import Interval
from bespeak.learn.rating_result import Band, Bin, RatingEvaluation, RatingRow
from bespeak.models.interactions import Bools, Float64s, Int32s, Int64s, ItemContent
from bespeak.models.ratings.base import Predictions, RatingModel, Ratings
from bespeak.models.ratings.biased_factorization import BiasedFactorization
from bespeak.models.ratings.item_mean import ItemMean

MIN_RATINGS, MIN_PEOPLE = 1_000, 30
"""A log with fewer foretells nothing worth showing."""

FACTORS = (0, 16)
"""What is tried. Regularisation is learned, so a length between gains nothing (see model-quality)."""

_WORTH = 0.005  # longer vectors must make the error smaller by this share
_SHARE = 0.8
_MAX_ASKED = 10_000
_DRAWS = 1_000
_N_BINS = 10
_BANDS = ((0, 0), (1, 4), (5, 19), (20, None))
_WITHIN_80 = 1.2815515655446004  # normal quantile: four fifths lie within so many standard deviations

CutName: TypeAlias = Literal["live", "held out"]
Told: TypeAlias = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class RatingQuestions:
    """Ratings to foretell, and what may be known.

    Attributes:
        cut: `live`, by time, or `held out`, at random.
        fit: what models are fitted on.
        known: what is known of people when they are asked.
        people: int[q], who is asked, a person of `known`.
        items: int32[q].
        values: float64[q], what they gave.
        asked: int32[q], the people, a person of `fit`; one person may be asked many times.
    """

    cut: CutName
    fit: Ratings
    known: Ratings
    people: Int64s
    items: Int32s
    values: Float64s
    asked: Int32s

    @property
    def n_known(self) -> Int64s:
        """int64[q]: how many ratings of the person were known."""
        return np.asarray(np.diff(self.known.row_starts)[self.people], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRatings:
    """The chosen model, fitted on everything, and what it reached on ratings that nothing was chosen on."""

    model: BiasedFactorization
    evaluation: RatingEvaluation


def are_enough(ratings: Ratings) -> bool:
    """Whether there is enough to foretell anything: ratings, people, and more than one value."""
    n_people = len(np.unique(ratings.user_index))
    return len(ratings) >= MIN_RATINGS and n_people >= MIN_PEOPLE and bool(np.ptp(ratings.values) > 0)


def questions(ratings: Ratings, seed: int = 0, *, at_most: int = _MAX_ASKED) -> RatingQuestions:
    """Cuts the ratings; of more than `at_most` later ratings so many are drawn."""
    rng = np.random.default_rng(seed)
    is_fit = _earlier(ratings)
    is_live = not is_fit.all()
    if not is_live:
        is_fit = rng.random(len(ratings)) < _SHARE
    rows = np.flatnonzero(~is_fit)
    if len(rows) > at_most:
        rows = np.sort(rng.choice(rows, at_most, replace=False))
    fit = ratings.select(is_fit)
    users = ratings.user_index[rows]
    return RatingQuestions(
        cut="live" if is_live else "held out",
        fit=fit,
        known=ratings.known_before(rows) if is_live else fit,
        people=np.arange(len(rows)) if is_live else users.astype(np.int64),
        items=ratings.item_index[rows],
        values=ratings.values[rows],
        asked=users,
    )


def train_ratings(
    ratings: Ratings, content: ItemContent | None = None, *, seed: int = 0, progress: Told | None = None
) -> TrainedRatings | None:
    """Chooses, reports and fits on everything; None where there is not enough (see `are_enough`)."""
    if not are_enough(ratings):
        return None
    told = progress or (lambda _stage, _share: None)
    told("ratings: choosing", 0.0)
    choosing = questions(questions(ratings, seed).fit, seed)
    errors = {factors: _rmse(BiasedFactorization(factors=factors), choosing, content) for factors in FACTORS}
    enough = min(errors.values()) * (1 + _WORTH)
    model = BiasedFactorization(factors=min(factors for factors in FACTORS if errors[factors] <= enough))
    told("ratings: reporting", 0.4)
    evaluation = evaluate_ratings(ratings, content, model, seed=seed)
    told("ratings: fitting on everything", 0.7)
    return TrainedRatings(model.fit(ratings, content), evaluation)


def evaluate_ratings(
    ratings: Ratings, content: ItemContent | None, model: BiasedFactorization, *, seed: int = 0
) -> RatingEvaluation:
    """Fits on the earlier part, asks the later one, and measures beside baselines. Deterministic under the seed."""
    asked = questions(ratings, seed)
    mean = float(asked.fit.values.mean())
    foretold = _foretold(model, asked, content)
    answers = {
        "mean of all": np.full(len(asked.values), mean),
        "item mean": _foretold(ItemMean(), asked).values,
        "biases of people and items": _foretold(BiasedFactorization(factors=0), asked).values,
        "biased factorization": foretold.values,
    }
    errors = np.stack([values - asked.values for values in answers.values()], axis=1)
    draws = _Draws(asked.asked, seed)
    rmse, mae = draws.rooted_means(errors**2), draws.means(np.abs(errors))
    used = len(answers) - 1
    baseline = int(np.argmin([figure.mean for figure in rmse[:used]]))
    calibration = _bins(foretold.values, asked, seed)
    per_item = np.bincount(asked.fit.item_index, minlength=len(ratings.item_ids))
    return RatingEvaluation(
        cut=asked.cut,
        low=ratings.scale.low,
        high=ratings.scale.high,
        n_fit=len(asked.fit),
        n_asked=len(asked.values),
        n_people=len(np.unique(asked.asked)),
        until_ms=int(asked.fit.times_ms.max()),
        settings=model.settings(),
        rows=tuple(RatingRow(name, rmse[at], mae[at]) for at, name in enumerate(answers)),
        in_use=used,
        baseline=baseline,
        difference=draws.difference_of_roots(errors[:, used] ** 2, errors[:, baseline] ** 2),
        calibration=calibration,
        calibration_error=sum(part.n * abs(part.given.mean - part.foretold) for part in calibration) / len(errors),
        within_80=float((np.abs(errors[:, used]) <= _WITHIN_80 * foretold.spreads).mean()),
        activity=_bands(asked.n_known, errors, asked, seed),
        items=_bands(per_item[asked.items], errors, asked, seed),
    )


def _earlier(ratings: Ratings) -> Bools:
    """The earliest ratings, no moment divided."""
    if not len(ratings):
        return np.zeros(0, bool)
    edge = np.sort(ratings.times_ms)[int(_SHARE * (len(ratings) - 1))]
    return np.asarray(ratings.times_ms <= edge)


def _foretold(model: RatingModel, asked: RatingQuestions, content: ItemContent | None = None) -> Predictions:
    return model.fit(asked.fit, content).predict(asked.known, asked.people, asked.items)


def _rmse(model: RatingModel, asked: RatingQuestions, content: ItemContent | None) -> float:
    return float(np.sqrt(np.mean((_foretold(model, asked, content).values - asked.values) ** 2)))


def _bins(foretold: Float64s, asked: RatingQuestions, seed: int) -> tuple[Bin, ...]:
    """What was given where so much was foretold: parts of equal size, from the lowest predictions to the highest."""
    found = []
    for rows in np.array_split(np.argsort(foretold, kind="stable"), _N_BINS):
        if len(rows):
            given = _Draws(asked.asked[rows], seed).means(asked.values[rows][:, None])[0]
            found.append(Bin(float(foretold[rows].mean()), given, len(rows)))
    return tuple(found)


def _bands(counts: Int64s, errors: Float64s, asked: RatingQuestions, seed: int) -> tuple[Band, ...]:
    found = []
    for fewest, most in _BANDS:
        rows = np.flatnonzero((counts >= fewest) & (counts <= (counts.max() if most is None else most)))
        if len(rows):
            rmse = _Draws(asked.asked[rows], seed).rooted_means(errors[rows] ** 2)
            found.append(Band(fewest, most, len(rows), tuple(rmse)))
    return tuple(found)


class _Draws:
    """Bootstrap over people of means over their questions: a person is drawn with all that they were asked."""

    def __init__(self, asked: Int32s, seed: int) -> None:
        people, self._place = np.unique(asked, return_inverse=True)
        n = len(people)
        rng = np.random.default_rng(seed)
        # Poisson draws: as good as drawing n of n where n is large, and one person at a time.
        self._times = rng.poisson(1.0, (_DRAWS, n)).astype(np.float32) if n > 1 else np.ones((1, n), np.float32)
        self._sizes = np.bincount(self._place, minlength=n).astype(np.float64)
        self._n = n

    def means(self, values: Float64s) -> list[Interval]:
        """The mean of each column of float64[q, columns]."""
        return self._intervals(values.mean(axis=0), self._drawn(values))

    def rooted_means(self, squares: Float64s) -> list[Interval]:
        """The root of the mean of each column."""
        return self._intervals(np.sqrt(squares.mean(axis=0)), np.sqrt(self._drawn(squares)))

    def difference_of_roots(self, ours: Float64s, theirs: Float64s) -> Interval:
        """The root of the mean of one column less that of another, paired."""
        both = np.stack([ours, theirs], axis=1)
        means, drawn = np.sqrt(both.mean(axis=0)), np.sqrt(self._drawn(both))
        return self._intervals(means[:1] - means[1:], drawn[:, :1] - drawn[:, 1:])[0]

    def _drawn(self, values: Float64s) -> Float64s:
        sums = np.stack([np.bincount(self._place, column, minlength=self._n) for column in values.T], axis=1)
        sizes = self._times @ self._sizes
        is_some = sizes > 0
        return np.asarray((self._times @ sums)[is_some] / sizes[is_some, None])

    def _intervals(self, means: Float64s, drawn: Float64s) -> list[Interval]:
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        spread = drawn.std(axis=0)
        parts = zip(means.tolist(), low.tolist(), high.tolist(), spread.tolist(), strict=True)
        return [Interval(mean, least, most, self._n, error) for mean, least, most, error in parts]
