"""`measure lifetime`: how often customers of a file will buy again, and what they will spend.

With --subscription the file tells of subscribers, who say when they leave: see `measure_subscriptions`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer

from bespeak.cli.measuring import subscriptions as measure_subscriptions
from bespeak.cli.measuring.columns import Table, numbers, read_table
from bespeak.cli.measuring.customers import dated_rows, last_day, show_holdouts, show_parameters, tell_of_rows
from bespeak.cli.measuring.table import check_out, write_table
from bespeak.cli.options import JsonOption
from bespeak.cli.output import bar, emit, note, say, warn
from bespeak.errors import EventRejected, InvalidInput
from bespeak.intake.times import parse_time_ms
from bespeak.learn.predicting.lifetime import YEAR_DAYS, Lifetime, fit_lifetime
from bespeak.models.predictors.repeat_purchases import PurchaseDays
from bespeak.signals.counts import counted

DAYS_PER_UNIT = {"day": 1.0, "week": 7.0, "month": YEAR_DAYS / 12, "year": YEAR_DAYS}
_DAY_MS = 86_400_000


def lifetime(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSONL or Parquet: one row for each purchase.")],
    customer: Annotated[str, typer.Option("--customer", metavar="COL", help="The column of customers.")],
    date: Annotated[str, typer.Option("--date", metavar="COL", help="The column of purchase dates.")],
    calibration_end: Annotated[
        str, typer.Option("--calibration-end", metavar="DATE", help="The last day that is learned from.")
    ],
    amount: Annotated[
        str | None, typer.Option("--amount", metavar="COL", help="The column of money; rows below 0 are refunds.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit",
            metavar="UNIT",
            help="Unit of time: day, week, month or year; else week. Of subscriptions: their period; else month.",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--end", metavar="DATE", help="The last day that the file tells of; else its latest date."),
    ] = None,
    ahead: Annotated[
        float | None,
        typer.Option("--ahead", metavar="N", help="Units to predict with --out; else until the end, or a year.", min=0),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Predictions for each customer: .csv or .parquet.")
    ] = None,
    subscription: Annotated[
        bool,
        typer.Option("--subscription", help="Rows are payments of subscribers, one for each period; see --ended."),
    ] = False,
    ended: Annotated[
        str | None,
        typer.Option(
            "--ended",
            metavar="COL",
            help="Rows are whole subscriptions, begun on --date; the column of last days, empty where one goes on.",
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            "--features",
            metavar="COL,…",
            help="What was known of subscribers when they began, to predict from as well.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predicts purchases and money of each customer, and shows how well that would have worked so far."""
    is_subscription = subscription or ended is not None
    if features is not None and not is_subscription:
        raise InvalidInput("--features is for subscriptions.", hint="Add --subscription or --ended COL.")
    unit = unit if unit is not None else "month" if is_subscription else "week"
    if unit not in DAYS_PER_UNIT:
        raise InvalidInput(f"--unit {unit} is none.", hint=f"Allowed: {', '.join(DAYS_PER_UNIT)}.")
    check_out(out)
    last, calibrated = _day("--end", end), _day("--calibration-end", calibration_end)
    assert calibrated is not None
    named = [part.strip() for part in (features or "").split(",") if part.strip()]
    columns = [customer, date, *(name for name in (amount, ended) if name), *named]
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"The column '{twice}' is named twice.", hint="Each part needs a column of its own.")
    with bar("reading") as told:
        rows = read_table(file, columns, told)
    if is_subscription:
        period = measure_subscriptions.Period(unit, DAYS_PER_UNIT[unit], calibrated, last, ahead)
        asked = measure_subscriptions.Asked(customer, date, amount, ended, tuple(named))
        measure_subscriptions.subscriptions(rows, asked, period, out, as_json=as_json)
        return
    ids, bought = _bought(rows, customer, date, amount)
    last = last_day(last, int(bought.day.max()), calibrated)
    found = fit_lifetime(
        bought,
        calibrated,
        end=last,
        days_per_unit=DAYS_PER_UNIT[unit],
        time=ahead,
        has_amounts=amount is not None,
    )
    if as_json:
        emit(document(found))
    else:
        _show(found, unit)
    _tell(found, rows)
    if out is not None:
        _write(found, ids, out)
        note(f"Predictions for {counted(found.n_customers, 'customer')}, {found.time:.4g} {unit}s ahead: {out.name}.")


def document(found: Lifetime) -> dict[str, Any]:
    """The answer as JSON, unrounded; null for what has no answer."""
    spending = found.spending
    return {
        "parameters": {name: getattr(found.model, name) for name in ("r", "alpha", "a", "b")},
        "log_likelihood": found.log_likelihood,
        "n_customers": found.n_customers,
        "holdout": found.holdout and asdict(found.holdout),
        "spend": spending
        and {
            "parameters": asdict(spending.model),
            "log_likelihood": spending.log_likelihood,
            "n_customers": spending.n_customers,
            "mean": spending.mean,
            "independence": {**asdict(spending.independence), "holds": spending.independence.holds},
            "holdout": spending.holdout and asdict(spending.holdout),
        },
    }


def _day(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_time_ms(text) // _DAY_MS
    except EventRejected:
        raise InvalidInput(f"{option} {text} is no date.", hint="Write it like 2024-01-31.") from None


def _bought(rows: Table, customer: str, date: str, amount: str | None) -> tuple[list[str], PurchaseDays]:
    spent = numbers(rows.rows, amount) if amount else np.full(len(rows), np.nan)
    held = dated_rows(rows, customer, date, "purchases", spent)
    return held.ids, PurchaseDays.of(held.who[held.kept], held.when[held.kept], spent[held.kept])


def _show(found: Lifetime, unit: str) -> None:
    model = found.model
    say(f"{counted(found.n_customers, 'customer')}, of whom {found.n_repeaters:,} bought on a second day.")
    rate = model.r / model.alpha
    leave = model.a / (model.a + model.b)
    say(f"Who is still there buys {rate:.3g} times a {unit} on average; after a repeat purchase {leave:.0%} leave.")
    say()
    parameters = {name: getattr(model, name) for name in ("r", "alpha", "a", "b")}
    show_parameters(parameters | (asdict(found.spending.model) if found.spending else {}))
    show_holdouts({"purchases": found.holdout, "money": found.spending.holdout if found.spending else None})


def _tell(found: Lifetime, rows: Table) -> None:
    tell_of_rows(rows, found.n_later, "customers came", has_holdout=found.holdout is not None)
    if found.model.at_bounds:
        names_ = ", ".join(found.model.at_bounds)
        warn(f"The data do not tell {names_}: many values fit alike. Predictions stand, the parameters say little.")
    if found.no_spending:
        warn(f"No spending: {found.no_spending}")
    if found.spending and not found.spending.independence.holds:
        held = found.spending.independence
        direction = "more" if held.correlation > 0 else "less"
        warn(
            f"The independence check fails: who buys more often spends {direction} per purchase (correlation "
            f"{held.correlation:.2f}, 95 % interval {held.low:.2f} to {held.high:.2f}). Money is likely "
            f"{'too low' if held.correlation > 0 else 'too high'} for the best customers."
        )


def _write(found: Lifetime, ids: list[str], out: Path) -> None:
    columns: dict[str, Any] = {
        "customer": pa.array(ids).take(pa.array(found.customer)),
        "repeats": found.purchases.repeats.astype(np.int64),
        "recency": found.purchases.recency,
        "age": found.purchases.age,
        "alive": found.alive,
        "expected_purchases": found.expected_purchases,
    }
    if found.expected_spent is not None:
        columns["expected_spent"] = found.expected_spent
        columns["expected_value"] = found.expected_purchases * found.expected_spent
    write_table(columns, out)
