"""Training what `[predictions]` asks for: from the lake's signals to stored predictions and sentences about them."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from bespeak.engine.core import Core
from bespeak.engine.logged.granted import granted_rows
from bespeak.engine.settings import PredictionSettings
from bespeak.engine.training.held_signals import HeldSignals
from bespeak.engine.worlds.predictors import StoredAnswers, StoredPrediction, StoredRenewing, StoredValue
from bespeak.errors import InvalidInput
from bespeak.learn.predicting.cancelling import Cancelling
from bespeak.learn.predicting.lifetime import fit_lifetime
from bespeak.learn.predicting.predictions import Asked, Quality, Question, learn_answers
from bespeak.learn.predicting.subscriptions import fit_subscriptions
from bespeak.models.predictors.gamma_gamma import GammaGamma, independence
from bespeak.models.predictors.renewals import Subscriptions, occasions_ahead
from bespeak.models.predictors.repeat_purchases import Float64s
from bespeak.models.predictors.shifted_beta_geometric import ShiftedBetaGeometric

_COLUMNS = (
    *("log_id", "person_id", "time_ms", "signal", "signal_class", "purposes", "is_bot"),
    *("value_minor", "currency"),
)


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
    held = HeldSignals(table.take(pa.array(rows)), person[rows], core.runtime.observer.fold_settings.roles)
    stored, sentences = [], []
    for name, settings in asked.items():
        try:
            if settings.kind == "lifetime_value":
                one, sentence = _learn_value(name, settings, held)
            elif settings.kind == "subscription_value":
                one, sentence = _learn_renewals(name, settings, held)
            else:
                one, sentence = _learn_answers(name, settings, held, seed)
            stored.append(one)
        except InvalidInput as error:
            sentence = f"not foretold. {error}"
        sentences.append(f"{name}: {sentence}")
    return TrainedPredictions(stored, sentences)


def _learn_answers(
    name: str, settings: PredictionSettings, held: HeldSignals, seed: int
) -> tuple[StoredPrediction, str]:
    question: Asked
    if settings.kind == "cancellation":
        question = Cancelling(_subscriptions(settings, held)[0], settings.within_days)
    else:
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
    people = question.people(held.activity, held.last_day)
    more = question.more(held.last_day, people)
    theirs = np.zeros((held.n_people, more.shape[1]))
    theirs[people] = more
    cuts = _thirds(found.probabilities(held.activity, held.last_day, theirs)[people])
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
    what = "the end of a subscription" if settings.kind == "cancellation" else what
    gain = 1 - quality.log_loss / quality.base_log_loss if quality.base_log_loss else 0.0
    return (
        f"{what} within {settings.within_days} days came true for {quality.share:.1%} of {quality.n_test:,} people "
        f"held back. AUC {quality.auc:.3f}; log loss {quality.log_loss:.4f}, {gain:.1%} below saying the same for all; "
        f"probabilities are off by {quality.calibration_error:.1%} on average. "
        f"Learned from {quality.n_rows:,} rows at {quality.n_dates} earlier date{'s' * (quality.n_dates > 1)}."
    )


def _learn_value(name: str, settings: PredictionSettings, held: HeldSignals) -> tuple[StoredPrediction, str]:
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


def _subscriptions(settings: PredictionSettings, held: HeldSignals) -> tuple[Subscriptions, Float64s, str]:
    found = held.subscriptions(settings.period_days, is_lapsing=settings.ends_by == "missed_renewal")
    if not len(found[0]):
        raise InvalidInput("There are no subscriptions.", hint="Their events are Subscription Started and the like.")
    return found


def _learn_renewals(name: str, settings: PredictionSettings, held: HeldSignals) -> tuple[StoredPrediction, str]:
    subscriptions, paid, currency = _subscriptions(settings, held)
    known = ~np.isnan(paid)
    if not known.any():
        raise InvalidInput("No subscription has an amount.", hint="Send its price with the events: revenue, currency.")
    ahead = max(1, min(settings.within_days, (held.last_day - held.first_day) // 3))
    judged = fit_subscriptions(subscriptions, held.last_day - ahead, end=held.last_day)
    model = ShiftedBetaGeometric.fit(*subscriptions.renewals(held.last_day).by_occasion())
    holdout = judged.by_age.holdout
    assert holdout is not None
    renewing = StoredRenewing(
        alpha=model.alpha, beta=model.beta, mean_paid=float(paid[known].mean()), currency=currency
    )
    active = np.flatnonzero(subscriptions.begun(held.last_day) & ~subscriptions.is_over(held.last_day))
    age = held.last_day - subscriptions.start[active]
    expected = model.expected_renewals(*occasions_ahead(age, settings.within_days, settings.period_days))
    price = np.where(known[active], paid[active], renewing.mean_paid)
    stored = StoredPrediction(
        name=name, settings=settings, renewing=renewing, quality=asdict(holdout), cuts=_thirds(expected * price)
    )
    sentence = (
        f"in the latest {ahead} days {holdout.predicted:,.0f} renewals were expected of {judged.n_active:,} "
        f"subscribers and {holdout.actual:,.0f} came. Learned from {len(subscriptions):,} subscriptions; "
        f"{1 - float(model.retention(1)):.1%} do not renew after the first period."
    )
    return stored, sentence
