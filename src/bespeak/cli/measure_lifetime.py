"""`measure lifetime`: how often customers of a file will buy again, and what they will spend."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import typer

from bespeak.cli.measure_columns import Table, days, names, numbers, read_table
from bespeak.cli.measure_report import tell_of_bad_lines
from bespeak.cli.output import bar, emit, note, say, table, warn
from bespeak.cli.project import JsonOption
from bespeak.errors import EventRejected, InvalidInput
from bespeak.intake.times import parse_time_ms
from bespeak.learn.lifetime import YEAR_DAYS, Holdout, Lifetime, fit_lifetime
from bespeak.models.predictors.repeat_purchases import PurchaseDays

DAYS_PER_UNIT = {"day": 1.0, "week": 7.0, "month": YEAR_DAYS / 12}
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
    unit: Annotated[str, typer.Option("--unit", metavar="UNIT", help="Unit of time: day, week or month.")] = "week",
    end: Annotated[
        str | None,
        typer.Option("--end", metavar="DATE", help="The last day that the file tells of; else its last purchase's."),
    ] = None,
    ahead: Annotated[
        float | None,
        typer.Option("--ahead", metavar="N", help="Units to predict with --out; else until the end, or a year.", min=0),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Predictions for each customer: .csv or .parquet.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predicts purchases and money of each customer, and shows how well that would have worked so far."""
    if unit not in DAYS_PER_UNIT:
        raise InvalidInput(f"--unit {unit} is none.", hint="Allowed: day, week, month.")
    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise InvalidInput(f"--out {out.name} is neither .csv nor .parquet.")
    last, calibrated = _day("--end", end), _day("--calibration-end", calibration_end)
    assert calibrated is not None
    columns = [customer, date, *([amount] if amount else [])]
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"The column '{twice}' is named twice.", hint="Each part needs a column of its own.")
    with bar("reading") as told:
        rows = read_table(file, columns, told)
    ids, bought = _bought(rows, customer, date, amount)
    last = last if last is not None else max(int(bought.day.max()), calibrated)
    if last < calibrated:
        raise InvalidInput("--end lies before --calibration-end.", hint="The prediction period lies between them.")
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
        note(f"Predictions for {found.n_customers:,} customers, {found.time:.4g} {unit}s ahead: {out.name}.")


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
    ids, who = names(rows.rows, customer)
    when, is_dated = days(rows.rows, date)
    spent = numbers(rows.rows, amount) if amount else np.full(len(rows), np.nan)
    is_refund = spent < 0
    is_whole = (who >= 0) & is_dated
    if (n_lacking := int((~is_whole).sum())) > 0:
        note(f"{n_lacking:,} rows lack a customer or a date and are left out.")
    if (n_refunds := int((is_whole & is_refund).sum())) > 0:
        note(f"{n_refunds:,} rows with an amount below 0 are refunds, no purchases; they are left out.")
    kept = is_whole & ~is_refund
    if not kept.any():
        raise InvalidInput("The file holds no purchases.", hint=f"Is '{customer}' the customer and '{date}' the date?")
    return ids, PurchaseDays.of(who[kept], when[kept], spent[kept])


def _show(found: Lifetime, unit: str) -> None:
    model = found.model
    say(f"{found.n_customers:,} customers, of whom {found.n_repeaters:,} bought on a second day.")
    rate = model.r / model.alpha
    leave = model.a / (model.a + model.b)
    say(f"Who is still there buys {rate:.3g} times a {unit} on average; after a repeat purchase {leave:.0%} leave.")
    say()
    parameters = [[name, getattr(model, name)] for name in ("r", "alpha", "a", "b")]
    if found.spending:
        parameters += [[name, value] for name, value in asdict(found.spending.model).items()]
    table(["parameter", "value"], [[name, f"{value:.4f}"] for name, value in parameters], right=[1])
    held = {"purchases": found.holdout, "money": found.spending.holdout if found.spending else None}
    lines = [_line(name, one) for name, one in held.items() if one is not None]
    if lines:
        say()
        heads = ["after the calibration", "predicted", "actual", "error", "per customer", "correlation"]
        table(heads, lines, right=range(1, 6))


def _line(name: str, held: Holdout) -> list[str | None]:
    return [
        name,
        f"{held.predicted:,.0f}",
        f"{held.actual:,.0f}",
        f"{held.predicted / held.actual - 1:+.1%}" if held.actual else None,
        f"{held.mae:.3f}",
        None if held.correlation is None else f"{held.correlation:.3f}",
    ]


def _tell(found: Lifetime, rows: Table) -> None:
    tell_of_bad_lines(rows.bad)
    if found.n_later:
        note(f"{found.n_later:,} customers came after the calibration; no figure holds them.")
    if found.model.at_bounds:
        names_ = ", ".join(found.model.at_bounds)
        warn(f"The data do not tell {names_}: many values fit alike. Predictions stand, the parameters say little.")
    if found.holdout is None:
        note("Nothing lies after the calibration, so nothing shows how good the predictions are.")
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
    try:
        if out.suffix == ".csv":
            pa_csv.write_csv(pa.table(columns), out)
        else:
            pq.write_table(pa.table(columns), out)
    except OSError as error:
        raise InvalidInput(f"{out.name} cannot be written: {error.strerror or error}.") from None
