"""Predictions of people: what is stored of them with a trained set, and how a live profile is read by them.

Stored are parameters of the population only. A person's prediction is computed from their profile when it is read, so
consent, erasure and cold start need nothing of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from bespeak.engine.settings import PredictionSettings
from bespeak.learn.predicting.cancelling import age_features
from bespeak.learn.predicting.predictions import Answers
from bespeak.models.predictors.activity import Activity
from bespeak.models.predictors.bg_nbd import BgNbd
from bespeak.models.predictors.gamma_gamma import GammaGamma
from bespeak.models.predictors.renewals import LATE, occasions_ahead
from bespeak.models.predictors.repeat_purchases import RepeatPurchases
from bespeak.models.predictors.shifted_beta_geometric import ShiftedBetaGeometric
from bespeak.profiles.settings import DAY_MS
from bespeak.profiles.subscription import Subscription
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


class StoredRenewing(msgspec.Struct, frozen=True, kw_only=True):
    """Shifted beta-geometric, and what a period costs on average, in minor units of one currency."""

    alpha: float
    beta: float
    mean_paid: float
    currency: str


class StoredPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """One prediction of a trained set.

    Attributes:
        settings: what was asked; a prediction that is asked otherwise now says nothing until the next training.
        answers: of churn, propensity and cancellation; value: of lifetime_value; renewing: of subscription_value;
            None where too little is known.
        quality: figures of the date that was held back, the reliability table among them.
        cuts: of those it was asked of when it was learned, a third lie below the first and a third above the second;
            None where that was not kept.
    """

    name: str
    settings: PredictionSettings
    answers: StoredAnswers | None = None
    value: StoredValue | None = None
    renewing: StoredRenewing | None = None
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
        elif one.renewing is not None:
            found[one.name] = RenewalsPredictor(one.renewing, one.settings, one.cuts)
    return found


def subscription_now(view: ProfileView, settings: PredictionSettings) -> Subscription | None:
    """Returns the subscription that goes on now, as the settings say when one ends."""
    gap_ms = round((1 + LATE) * settings.period_days * DAY_MS) if settings.ends_by == "missed_renewal" else None
    held = view.subscription(gap_ms)
    return held if held is not None and held.end_ms is None else None


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
        self._settings = settings
        self._asked_of = settings.of if settings.kind == "churn" else ""

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
        if self._settings.kind == "cancellation":
            return self._of_subscription(view, activity, day)
        asked = activity.of_class(self._asked_of).between(day - self._settings.among_days + 1, day)
        return float(self._answers.probabilities(activity, day)[0]) if asked.has_any()[0] else None

    def _of_subscription(self, view: ProfileView, activity: Activity, day: int) -> float | None:
        held = subscription_now(view, self._settings)
        if held is None:
            return None
        age = np.array([float(max(0, day - held.start_ms // DAY_MS))])
        return float(self._answers.probabilities(activity, day, age_features(age, self._settings.period_days))[0])


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


class RenewalsPredictor(_Levelled):
    """Money to expect from the renewals of a subscription."""

    def __init__(
        self, stored: StoredRenewing, settings: PredictionSettings, cuts: tuple[float, float] | None = None
    ) -> None:
        super().__init__(cuts)
        self._model = ShiftedBetaGeometric(stored.alpha, stored.beta)
        self._stored = stored
        self._settings = settings

    def predict(self, view: ProfileView) -> float | None:
        """Returns minor units; None of people who have no subscription now, or whose words may not be read."""
        held = subscription_now(view, self._settings)
        if held is None:
            return None
        age = max(0, view.now_ms // DAY_MS - held.start_ms // DAY_MS)
        made, n_ahead = occasions_ahead(age, self._settings.within_days, self._settings.period_days)
        is_known = held.currency == self._stored.currency and held.value_minor > 0
        price = held.value_minor if is_known else self._stored.mean_paid
        return float(self._model.expected_renewals(made, n_ahead)[0] * price)
