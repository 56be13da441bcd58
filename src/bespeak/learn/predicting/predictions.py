"""What a person will probably do next, learned from dates in the past: churn, propensity, and cancelling.

For several dates people's features as of that date are set beside what they did in the days after it. The latest date
is held back: it shows how good and how well calibrated the probabilities are. The model that serves learned from all.

Rows of one person at several dates stay in one fold, so neither the penalty nor the calibration is chosen on a person
who was learned from. Calibration (Platt 1999) is fitted on such held-out predictions and folded into the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput
from bespeak.measure.reliability import Bin, auc, calibration_error, reliability
from bespeak.models.predictors.activity import REACH_DAYS, Activity, features
from bespeak.models.predictors.repeat_purchases import Float64s, Int64s
from bespeak.models.predictors.ridge import PENALTIES, Ridge, cross_fitted, fit_ridge, fit_tuned, loss

MIN_ROWS = 200
MIN_EACH = 25
ENOUGH_ROWS = 1_000
MOST_DATES = 6
_FOLDS = 5

Direction = Literal["does", "does not"]


class Asked(Protocol):
    """What is to be foretold, of whom."""

    @property
    def within_days(self) -> int:
        """How far it reaches after the date."""
        ...

    @property
    def behind_days(self) -> int:
        """Days before a date without which it cannot be asked."""
        ...

    def people(self, activity: Activity, date: int) -> Int64s:
        """int64[n]: who is asked of, ascending."""
        ...

    def came_true(self, activity: Activity, date: int, people: Int64s) -> npt.NDArray[np.bool_]:
        """bool[n]: of whom it came true in the days after the date."""
        ...

    def more(self, date: int, people: Int64s) -> Float64s:
        """float64[n, k]: features beside their activity, as of the date."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be foretold.

    Attributes:
        of: class of the signals; any class when empty.
        direction: whether the probability is of doing it or of not doing it (churn).
        within_days: after the date.
        among_days: asked of people who did it (churn), or anything (propensity), in so many days up to the date.
    """

    of: str
    direction: Direction
    within_days: int
    among_days: int

    @property
    def behind_days(self) -> int:
        """Days before a date without which it cannot be asked."""
        return min(self.within_days, self.among_days)

    def people(self, activity: Activity, date: int) -> Int64s:
        """int64[n]: who did it, or anything, in the days up to the date."""
        asked = activity.of_class(self.of if self.direction == "does not" else "")
        return np.flatnonzero(asked.between(date - self.among_days + 1, date).has_any())

    def came_true(self, activity: Activity, date: int, people: Int64s) -> npt.NDArray[np.bool_]:
        """bool[n]: who did it, or did not, in the days after the date."""
        did = activity.of_class(self.of).between(date + 1, date + self.within_days).has_any()[people]
        return did if self.direction == "does" else ~did

    def more(self, date: int, people: Int64s) -> Float64s:
        """Nothing beside what people did."""
        del date
        return np.zeros((len(people), 0))


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """A fitted question.

    Attributes:
        classes: whose counts are read; mean, spread: float64[columns], of the features.
        intercept, beta: of the log-odds, calibrated.
    """

    classes: Sequence[str]
    mean: Float64s
    spread: Float64s
    intercept: float
    beta: Float64s

    def probabilities(self, activity: Activity, day: int, more: Float64s | None = None) -> Float64s:
        """float64[n_people], as of the end of a day; of people who were not asked of when learning it means nothing.

        Args:
            activity: what they did. day: the date.
            more: float64[n_people, k], what was learned from beside it.
        """
        held = Ridge("binary", self.intercept, self.beta, 0.0)
        x = features(activity, day)
        x = x if more is None else np.concatenate([x, more], axis=1)
        return held.predict(_scaled(x, self.mean, self.spread))


@dataclass(frozen=True, slots=True)
class Quality:
    """How good the probabilities were on the date that was held back.

    Attributes:
        n_rows, n_dates: learned from; n_test: people judged on.
        share: of those people for whom it came true.
        auc, log_loss: of the probabilities; base_log_loss: of saying the learned share for everybody.
        calibration_error: mean distance of observed from predicted over the reliability table.
        table: predicted beside observed, from low to high.
    """

    n_rows: int
    n_dates: int
    n_test: int
    share: float
    auc: float
    log_loss: float
    base_log_loss: float
    calibration_error: float
    table: tuple[Bin, ...]


def learn_answers(
    activity: Activity, question: Asked, first_day: int, last_day: int, rng: np.random.Generator
) -> tuple[Answers, Quality]:
    """Learns from the past.

    Args:
        activity: what people did.
        question: what is to be foretold.
        first_day, last_day: the days that it tells of completely.
        rng: of the folds.

    Raises:
        InvalidInput: too few days, people or outcomes; says what is missing.
    """
    rows = [_rows_at(activity, question, date) for date in _dates(question, first_day, last_day)]
    # A date with less behind it than features look back is learned from only where there are too few better ones.
    whole = [one for one in rows[1:] if one.date - REACH_DAYS + 1 >= first_day]
    is_enough = sum(len(one.y) for one in whole) >= ENOUGH_ROWS
    rows = [rows[0], *(whole if is_enough else rows[1:])]
    test, train = rows[0], _Rows.joined(rows[1:])
    if len(train.y) < MIN_ROWS or len(test.y) < MIN_EACH:
        dates = "one earlier date" if len(rows) == 2 else f"{len(rows) - 1} earlier dates"
        raise InvalidInput(f"{len(train.y):,} people at {dates} are too few; {MIN_ROWS} are needed.")
    fewest = min(int(train.y.sum()), int((1 - train.y).sum()))
    if fewest < MIN_EACH:
        raise InvalidInput(f"Only {fewest} of {len(train.y):,} went the rarer way; {MIN_EACH} are needed.")
    judged = _fit(train, rng)
    p = judged.predict(test.x)
    base = np.full(len(test.y), float(train.y.mean()))
    table = reliability(test.y, p)
    quality = Quality(
        n_rows=len(train.y),
        n_dates=len(rows) - 1,
        n_test=len(test.y),
        share=float(test.y.mean()),
        auc=auc(test.y, p),
        log_loss=float(loss(test.y, p, "binary").mean()),
        base_log_loss=float(loss(test.y, base, "binary").mean()),
        calibration_error=calibration_error(table),
        table=tuple(table),
    )
    final = _fit(_Rows.joined(rows), rng)
    return final.answers(activity.classes), quality


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """People at one or more dates: who, features, whether it came true, and the latest date."""

    date: int
    person: Int64s
    x: Float64s
    y: Float64s

    @staticmethod
    def joined(parts: Sequence[_Rows]) -> _Rows:
        return _Rows(
            max(part.date for part in parts),
            np.concatenate([part.person for part in parts]),
            np.concatenate([part.x for part in parts]),
            np.concatenate([part.y for part in parts]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    mean: Float64s
    spread: Float64s
    ridge: Ridge
    slope: float
    shift: float

    def predict(self, x: Float64s) -> Float64s:
        return self._calibrated().predict(_scaled(x, self.mean, self.spread))

    def answers(self, classes: Sequence[str]) -> Answers:
        held = self._calibrated()
        return Answers(classes, self.mean, self.spread, held.intercept, held.beta)

    def _calibrated(self) -> Ridge:
        intercept = self.shift + self.slope * self.ridge.intercept
        return Ridge("binary", intercept, self.slope * self.ridge.beta, self.ridge.l2)


def _dates(question: Asked, first_day: int, last_day: int) -> list[int]:
    """The last days that were looked back from, the latest first: what follows each is known to its end."""
    dates = [last_day - question.within_days * (step + 1) for step in range(MOST_DATES + 1)]
    kept = [date for date in dates if date - question.behind_days + 1 >= first_day]
    if len(kept) < 2:
        needed = 2 * question.within_days + question.behind_days
        raise InvalidInput(f"The log tells of {last_day - first_day + 1} days; at least {needed} are needed.")
    return kept


def _rows_at(activity: Activity, question: Asked, date: int) -> _Rows:
    people = question.people(activity, date)
    x = np.concatenate([features(activity, date)[people], question.more(date, people)], axis=1)
    return _Rows(date, people, x, question.came_true(activity, date, people).astype(np.float64))


def _fit(rows: _Rows, rng: np.random.Generator) -> _Fit:
    mean, spread = rows.x.mean(axis=0), rows.x.std(axis=0)
    x = _scaled(rows.x, mean, spread)
    fold_of = rng.integers(0, _FOLDS, int(rows.person.max()) + 1)
    folds: npt.NDArray[np.int64] = fold_of[rows.person].astype(np.int64)
    ridge = fit_tuned(x, rows.y, kind="binary", folds=folds, penalties=PENALTIES)
    held_out = cross_fitted(
        lambda learned: fit_ridge(x[learned], rows.y[learned], kind="binary", l2=ridge.l2).predict, x, folds
    )
    p = np.clip(held_out, 1e-6, 1 - 1e-6)
    platt = fit_ridge(np.log(p / (1 - p))[:, None], rows.y, kind="binary", l2=1e-6)
    slope = float(platt.beta[0])
    if slope <= 0:  # would turn the order round: nothing was learned, and the share is the answer
        share = float(rows.y.mean())
        return _Fit(mean, spread, ridge, 0.0, float(np.log(share / (1 - share))))
    return _Fit(mean, spread, ridge, slope, platt.intercept)


def _scaled(x: Float64s, mean: Float64s, spread: Float64s) -> Float64s:
    return np.where(spread > 1e-9, (x - mean) / np.where(spread > 1e-9, spread, 1.0), 0.0)
