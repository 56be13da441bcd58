"""Training what `[predictions]` asks for: from the lake's signals to stored predictions and sentences about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bespeak.engine.core import Core
from bespeak.engine.granted import granted_rows
from bespeak.engine.predictors import StoredAnswers, StoredPrediction, StoredValue
from bespeak.engine.settings import PredictionSettings
from bespeak.errors import InvalidInput
from bespeak.learn.lifetime import fit_lifetime
from bespeak.learn.predictions import Quality, Question, learn_answers
from bespeak.models.predictors.activity import Activity
from bespeak.models.predictors.gamma_gamma import GammaGamma, independence
from bespeak.models.predictors.repeat_purchases import Float64s, Int64s, PurchaseDays
from bespeak.profiles.settings import DAY_MS

_COLUMNS = (
    *("log_id", "person_id", "time_ms", "signal", "signal_class", "purposes", "is_bot"),
    *("value_minor", "currency"),
)

_TOLD_BY = ("signal", "signal_class")
"""Whose role says what a row does to orders; a signal's wins over its class's."""


class TrainedPredictions(NamedTuple):
    """What was learned, and for each prediction a sentence that says what was found or what is missing."""

    predictions: list[StoredPrediction]
    sentences: list[str]


def learn_predictions(core: Core, as_of_ms: int | None, seed: int) -> TrainedPredictions:
    """Learns every prediction that the project asks for and the log can tell.

    Args:
        core: the project; its lake is fed.
        as_of_ms: leave out what happened later.
        seed: of folds.
    """
    asked = core.config.settings.predictions
    if not asked:
        return TrainedPredictions([], [])
    table = core.lake.read("signals", _COLUMNS).sort_by("log_id")
    person, keep = granted_rows(core, table, as_of_ms)
    rows = np.flatnonzero(keep)
    if not len(rows):
        return TrainedPredictions([], [f"{name}: nothing may be learned from." for name in asked])
    held = _Held(table.take(pa.array(rows)), person[rows], core.runtime.observer.fold_settings.roles)
    stored, sentences = [], []
    for name, settings in asked.items():
        try:
            if settings.kind == "lifetime_value":
                one, sentence = _learn_value(name, settings, held)
            else:
                one, sentence = _learn_answers(name, settings, held, seed)
            stored.append(one)
        except InvalidInput as error:
            sentence = f"not foretold. {error}"
        sentences.append(f"{name}: {sentence}")
    return TrainedPredictions(stored, sentences)


class _Held:
    """The usable rows: who, when, what."""

    def __init__(self, table: pa.Table, person: np.ndarray[Any, Any], roles: Mapping[str, str]) -> None:
        people, self.person = np.unique(person, return_inverse=True)
        self.n_people = len(people)
        self.day: Int64s = table.column("time_ms").to_numpy() // DAY_MS
        # The newest day is hardly over, so nothing can be said of what was not done on it.
        self.first_day, self.last_day = int(self.day.min()), int(self.day.max()) - 1
        self._table = table
        self._roles = roles

    @cached_property
    def activity(self) -> Activity:
        """What everybody did, by class and day."""
        classes = self._table.column("signal_class").combine_chunks().dictionary_encode()
        names = classes.dictionary.to_pylist()
        order = np.argsort(names)
        place = np.empty(len(names), np.int64)
        place[order] = np.arange(len(names))
        code = place[classes.indices.to_numpy()]
        return Activity.of([names[i] for i in order], self.person, code, self.day, self.n_people)

    def bought(self) -> tuple[PurchaseDays, str]:
        """The days with an order, with money of the currency that most rows of orders name."""
        table = self._table
        roles = self._roles
        signal, signal_class = (table.column(name).combine_chunks().dictionary_encode() for name in _TOLD_BY)
        is_role = [
            np.array([roles.get(name) for name in held.dictionary.to_pylist()], object)
            for held in (signal, signal_class)
        ]
        by_signal, by_class = (
            held[column.indices.to_numpy()] for held, column in zip(is_role, (signal, signal_class), strict=True)
        )
        is_order = np.where(by_signal == None, by_class, by_signal) == "order"  # noqa: E711 - by element
        priced = pc.and_(pc.is_valid(table.column("currency")), pc.greater(table.column("value_minor"), 0))
        counts = pc.value_counts(table.column("currency").filter(pc.and_(priced, pa.array(is_order)))).to_pylist()
        most = min(counts, key=lambda one: (-one["counts"], one["values"]), default={"values": ""})
        currency = str(most["values"])
        is_ours = pc.fill_null(pc.equal(table.column("currency"), currency), False).to_numpy(zero_copy_only=False)
        value = table.column("value_minor").to_numpy()
        spent = np.where(is_ours & (value > 0), value.astype(np.float64), np.nan)
        rows = np.flatnonzero(is_order & (self.day <= self.last_day))
        return PurchaseDays.of(self.person[rows], self.day[rows], spent[rows]), currency


def _learn_answers(name: str, settings: PredictionSettings, held: _Held, seed: int) -> tuple[StoredPrediction, str]:
    question = Question(
        of=settings.of,
        direction="does not" if settings.kind == "churn" else "does",
        within_days=settings.within_days,
        among_days=settings.among_days,
    )
    found, quality = learn_answers(held.activity, question, held.first_day, held.last_day, np.random.default_rng(seed))
    answers = StoredAnswers(
        classes=list(found.classes),
        mean=found.mean.tolist(),
        spread=found.spread.tolist(),
        intercept=found.intercept,
        beta=found.beta.tolist(),
    )
    asked = held.activity.of_class(settings.of if settings.kind == "churn" else "")
    is_asked = asked.between(held.last_day - settings.among_days + 1, held.last_day).has_any()
    cuts = _thirds(found.probabilities(held.activity, held.last_day)[is_asked])
    stored = StoredPrediction(name=name, settings=settings, answers=answers, quality=asdict(quality), cuts=cuts)
    return stored, _sentence(settings, quality)


def _thirds(values: Float64s) -> tuple[float, float] | None:
    """What parts the lowest third of people from the others, and the highest."""
    if not len(values):
        return None
    low, high = np.quantile(values, (1 / 3, 2 / 3)).tolist()
    return low, high


def _sentence(settings: PredictionSettings, quality: Quality) -> str:
    what = f"no {settings.of or 'signal'}" if settings.kind == "churn" else f"a {settings.of or 'signal'}"
    gain = 1 - quality.log_loss / quality.base_log_loss if quality.base_log_loss else 0.0
    return (
        f"{what} within {settings.within_days} days came true for {quality.share:.1%} of {quality.n_test:,} people "
        f"held back. AUC {quality.auc:.3f}; log loss {quality.log_loss:.4f}, {gain:.1%} below saying the same for all; "
        f"probabilities are off by {quality.calibration_error:.1%} on average. "
        f"Learned from {quality.n_rows:,} rows at {quality.n_dates} earlier date{'s' * (quality.n_dates > 1)}."
    )


def _learn_value(name: str, settings: PredictionSettings, held: _Held) -> tuple[StoredPrediction, str]:
    bought, currency = held.bought()
    if not len(bought.day):
        raise InvalidInput("There are no orders.", hint="Lifetime value is learned from purchases.")
    span = held.last_day - held.first_day
    ahead = max(1, min(settings.within_days, span // 3))
    judged = fit_lifetime(bought, held.last_day - ahead, end=held.last_day, days_per_unit=1.0)
    whole = fit_lifetime(bought, held.last_day, end=held.last_day, days_per_unit=1.0)
    spenders, n, mean = bought.spending(held.last_day, is_first_counted=True)
    spending = GammaGamma.fit(n, mean)
    if not np.isfinite(spending.mean_spent):
        raise InvalidInput("What people spend differs so much that it has no average to expect.")
    holdout = judged.holdout
    assert holdout is not None
    buying = whole.model
    value = StoredValue(
        r=buying.r,
        alpha=buying.alpha,
        a=buying.a,
        b=buying.b,
        p=spending.p,
        q=spending.q,
        v=spending.v,
        currency=currency,
    )
    customers, known = bought.repeat_purchases(held.last_day, 1.0)
    expected = buying.expected_purchases(known, float(settings.within_days))
    expected = expected[np.searchsorted(customers, spenders)] * spending.expected_spent(n, mean)
    stored = StoredPrediction(
        name=name, settings=settings, value=value, quality=asdict(holdout), cuts=_thirds(expected)
    )
    sentence = (
        f"in the latest {ahead} days {holdout.predicted:,.0f} purchases were expected of {judged.n_customers:,} "
        f"customers and {holdout.actual:,.0f} came. Learned from {whole.n_customers:,} customers, "
        f"{whole.n_repeaters:,} of whom came again."
    )
    check = independence(n, mean)
    if not check.holds:
        more = "more" if check.correlation > 0 else "less"
        sentence += f" Who buys more often spends {more} each time, which the model does not know."
    return stored, sentence
