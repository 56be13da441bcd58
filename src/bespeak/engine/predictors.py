"""Predictions of people: what is stored of them with a trained set, and how a live profile is read by them.

Stored are parameters of the population only. A person's prediction is computed from their profile when it is read, so
consent, erasure and cold start need nothing of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from bespeak.engine.settings import PredictionSettings
from bespeak.learn.predictions import Answers
from bespeak.models.predictors.activity import Activity
from bespeak.models.predictors.bg_nbd import BgNbd
from bespeak.models.predictors.gamma_gamma import GammaGamma
from bespeak.models.predictors.repeat_purchases import RepeatPurchases
from bespeak.profiles.settings import DAY_MS
from bespeak.profiles.view import Predictor, ProfileView


class StoredAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """`Answers` as plain values."""

    classes: list[str]
    mean: list[float]
    spread: list[float]
    intercept: float
    beta: list[float]


class StoredValue(msgspec.Struct, frozen=True, kw_only=True):
    """BG/NBD in days and Gamma-Gamma in minor units of one currency."""

    r: float
    alpha: float
    a: float
    b: float
    p: float
    q: float
    v: float
    currency: str


class StoredPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """One prediction of a trained set.

    Attributes:
        settings: what was asked; a prediction that is asked otherwise now says nothing until the next training.
        answers: of churn and propensity; value: of lifetime_value; both None where too little is known.
        quality: figures of the date that was held back, the reliability table among them.
        cuts: of those it was asked of when it was learned, a third lie below the first and a third above the second;
            None where that was not kept.
    """

    name: str
    settings: PredictionSettings
    answers: StoredAnswers | None = None
    value: StoredValue | None = None
    quality: dict[str, object] = {}
    cuts: tuple[float, float] | None = None


def predictors_of(stored: Iterable[StoredPrediction], asked: Mapping[str, PredictionSettings]) -> dict[str, Predictor]:
    """Returns name -> predictor of what is stored and still asked in the same way."""
    found: dict[str, Predictor] = {}
    for one in stored:
        if asked.get(one.name) != one.settings:
            continue
        if one.answers is not None:
            found[one.name] = AnswersPredictor(one.answers, one.settings, one.cuts)
        elif one.value is not None:
            found[one.name] = ValuePredictor(one.value, one.settings.within_days, one.cuts)
    return found


class _Levelled:
    """Says of a value where it lies among people.

    Example:
        >>> [_Levelled((0.2, 0.5)).level(value) for value in (0.1, 0.3, 0.9)], _Levelled(None).level(0.3)
        (['low', 'medium', 'high'], '')
    """

    def __init__(self, cuts: tuple[float, float] | None) -> None:
        self._cuts = cuts

    def level(self, value: float) -> str:
        """Returns the third of the people that a value would lie in; "" where the thirds were not kept."""
        if self._cuts is None:
            return ""
        return "low" if value < self._cuts[0] else "high" if value > self._cuts[1] else "medium"


class AnswersPredictor(_Levelled):
    """A probability from what a profile counts by class and day."""

    def __init__(
        self, stored: StoredAnswers, settings: PredictionSettings, cuts: tuple[float, float] | None = None
    ) -> None:
        super().__init__(cuts)
        self._answers = Answers(
            stored.classes, np.array(stored.mean), np.array(stored.spread), stored.intercept, np.array(stored.beta)
        )
        self._code = {name: code for code, name in enumerate(stored.classes)}
        self._asked_of = settings.of if settings.kind == "churn" else ""
        self._among_days = settings.among_days

    def predict(self, view: ProfileView) -> float | None:
        """Returns the probability; None of people who were not among those asked, or whose classes may not be read."""
        day = view.now_ms // DAY_MS
        if any(name in view.settings.classes and name not in view.classes for name in self._code):
            return None
        rows = [
            (self._code[name], on, n)
            for name, by_day in view.profile.counts.items()
            if name in self._code
            for on, n in by_day.items()
        ]
        if not rows:
            return None
        code, days, n = (np.array(column) for column in zip(*rows, strict=True))
        activity = Activity(self._answers.classes, np.zeros(len(rows), np.int64), code, days, n.astype(np.float64), 1)
        asked = activity.of_class(self._asked_of).between(day - self._among_days + 1, day)
        return float(self._answers.probabilities(activity, day)[0]) if asked.has_any()[0] else None


class ValuePredictor(_Levelled):
    """Money to expect from what a profile holds of orders."""

    def __init__(self, stored: StoredValue, within_days: int, cuts: tuple[float, float] | None = None) -> None:
        super().__init__(cuts)
        self._buying = BgNbd(stored.r, stored.alpha, stored.a, stored.b)
        self._spending = GammaGamma(stored.p, stored.q, stored.v)
        self._currency = stored.currency
        self._within_days = within_days

    def predict(self, view: ProfileView) -> float | None:
        """Returns minor units; None of people who never ordered, or whose orders may not be read."""
        orders = view.profile.orders
        if orders.n < 1 or not view.may_read_orders():
            return None
        today, first, last = view.now_ms // DAY_MS, orders.first_ms // DAY_MS, orders.last_ms // DAY_MS
        # Days beyond the window are forgotten: each order of them counts as a day of its own.
        n_days = max(1, len(orders.days) + orders.n - sum(orders.days.values()))
        recency = float(max(0, last - first))
        repeats = float(n_days - 1) if recency > 0 else 0.0
        known = RepeatPurchases(
            np.array([max(repeats, 1.0) if recency > 0 else 0.0]),
            np.array([recency]),
            np.array([float(max(today, last) - first)]),
        )
        spent = orders.money.get(self._currency, 0) / n_days
        per_purchase = self._spending.expected_spent([float(n_days) if spent > 0 else 0.0], [spent])
        return float(self._buying.expected_purchases(known, float(self._within_days))[0] * per_purchase[0])
