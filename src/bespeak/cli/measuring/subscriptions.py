"""`measure lifetime --subscription`: how long subscribers of a file stay, and what they will pay."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bespeak.cli.measuring.columns import Table, days, known_columns, numbers
from bespeak.cli.measuring.customers import dated_rows, last_day, show_holdouts, show_parameters, tell_of_rows
from bespeak.cli.measuring.table import write_table
from bespeak.cli.output import emit, note, say, table, warn
from bespeak.errors import InvalidInput
from bespeak.learn.predicting.subscriptions import Ahead, SubscriptionLifetime, fit_subscriptions
from bespeak.models.predictors.design import Columns
from bespeak.models.predictors.renewals import NEVER, Subscriptions

_SHOWN = 12
_MOST_AHEAD = 1_200


class Asked(NamedTuple):
    """The columns of the file; `ended` None means that rows are payments."""

    customer: str
    date: str
    amount: str | None
    ended: str | None
    features: tuple[str, ...]


class Period(NamedTuple):
    """Length of a period, the last days that are learned from and watched, and how many periods are predicted."""

    unit: str
    days: float
    calibrated: int
    end: int | None
    ahead: float | None


class _Read(NamedTuple):
    ids: list[str]
    held: Subscriptions
    last: int
    paid: npt.NDArray[np.float64] | None
    columns: Columns | None


def subscriptions(rows: Table, asked: Asked, period: Period, out: Path | None, *, as_json: bool) -> None:
    """Predicts renewals and money of each subscriber, and shows how well that would have worked so far."""
    n_ahead = None if period.ahead is None else int(period.ahead)
    if n_ahead is not None and n_ahead != period.ahead:
        raise InvalidInput("--ahead counts whole periods of a subscription.", hint=f"Take {n_ahead} or {n_ahead + 1}.")
    if n_ahead is not None and n_ahead > _MOST_AHEAD:
        raise InvalidInput(f"--ahead is at most {_MOST_AHEAD:,} periods.", hint="Nobody knows what comes after that.")
    read = _read(rows, asked, period)
    end = last_day(period.end, read.last, period.calibrated)
    found = fit_subscriptions(
        read.held,
        period.calibrated,
        end=end,
        n_ahead=n_ahead,
        paid=read.paid,
        columns=read.columns,
    )
    if as_json:
        emit(document(found, asked.features))
    else:
        _show(found, period.unit)
    _tell(found, rows)
    if out is not None:
        _write(found, read, out)
        note(f"Predictions for {found.n_active:,} subscriptions, {found.n_ahead} {period.unit}s ahead: {out.name}.")


def document(found: SubscriptionLifetime, features: tuple[str, ...]) -> dict[str, Any]:
    """The answer as JSON, unrounded; null for what has no answer."""
    by_customer = found.by_customer
    best = _best(found)
    return {
        "parameters": {"alpha": found.model.alpha, "beta": found.model.beta},
        "log_likelihood": found.log_likelihood,
        "n_subscriptions": found.n_subscriptions,
        "n_active": found.n_active,
        "retention": [
            {"renewal": t + 1, "renewed": int(kept), "lost": int(lost), "predicted": float(predicted)}
            for t, (kept, lost, predicted) in enumerate(zip(found.kept, found.lost, _retention(found), strict=True))
        ],
        "holdout": found.by_age.holdout and asdict(found.by_age.holdout),
        "hazard": by_customer
        and {
            "features": list(features),
            "holdout": by_customer.holdout and asdict(by_customer.holdout),
        },
        "spend": None
        if found.mean_paid is None
        else {"mean": found.mean_paid, "holdout": best.money and asdict(best.money)},
    }


def _read(rows: Table, asked: Asked, period: Period) -> _Read:
    amount = numbers(rows.rows, asked.amount) if asked.amount else None
    is_spans = asked.ended is not None
    what = "subscriptions" if is_spans else "payments"
    ids, who, when, kept = dated_rows(rows, asked.customer, asked.date, what, None if is_spans else amount)
    if asked.ended is not None:
        last, is_over = days(rows.rows, asked.ended)
        end = np.where(is_over, last, NEVER)[kept]
        held = Subscriptions.of_spans(who[kept], when[kept], end, period.days)
        told, row = np.append(when[kept], end[end < NEVER]), kept
        paid = None if amount is None else amount[kept]
    else:
        held = Subscriptions.of_payments(who[kept], when[kept], period.days)
        told, row = when[kept], kept[held.first_row]
        seen = kept[when[kept] <= period.calibrated]
        paid = None if amount is None else held.mean_paid(who[seen], when[seen], amount[seen])
    columns = known_columns(rows.rows, asked.features, row) if asked.features else None
    return _Read(ids, held, int(told.max()), paid, columns)


def _best(found: SubscriptionLifetime) -> Ahead:
    return found.by_age if found.by_customer is None else found.by_customer


def _retention(found: SubscriptionLifetime) -> npt.NDArray[np.float64]:
    return found.model.retention(np.arange(1, len(found.kept) + 1))


def _show(found: SubscriptionLifetime, unit: str) -> None:
    say(f"{found.n_subscriptions:,} subscriptions, of which {found.n_active:,} go on.")
    first = found.model.retention([1, 12])
    say(f"{1 - first[0]:.1%} do not renew after the first {unit}; of those who reach the twelfth, {1 - first[1]:.1%}.")
    say()
    both = found.kept + found.lost
    lines = [
        [str(t + 1), f"{both[t]:,.0f}", f"{found.kept[t] / both[t]:.1%}", f"{predicted:.1%}"]
        for t, predicted in enumerate(_retention(found)[:_SHOWN])
    ]
    table(["renewal", "came to it", "renewed", "by the model"], lines, right=range(4))
    say()
    show_parameters({"alpha": found.model.alpha, "beta": found.model.beta})
    show_holdouts(
        {
            "renewals, by age": found.by_age.holdout,
            "renewals, by age and features": None if found.by_customer is None else found.by_customer.holdout,
            "money": _best(found).money,
        }
    )


def _tell(found: SubscriptionLifetime, rows: Table) -> None:
    tell_of_rows(rows, found.n_later, "subscriptions began", has_holdout=found.by_age.holdout is not None)
    if found.model.at_bounds:
        warn(
            f"The data do not tell {', '.join(found.model.at_bounds)}: retention does not rise with age, as this model "
            "has it. Predict with --features, whose hazard takes any course."
        )


def _write(found: SubscriptionLifetime, read: _Read, out: Path) -> None:
    columns: dict[str, Any] = {
        "customer": pa.array(read.ids).take(pa.array(read.held.customer[found.place])),
        "start": pa.array(read.held.start[found.place].astype(np.int32), pa.date32()),
        "renewals": found.made,
        "stays": found.stays,
        "expected_renewals": found.expected_renewals,
    }
    if found.expected_value is not None:
        columns["expected_value"] = found.expected_value
    write_table(columns, out)
