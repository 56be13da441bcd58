"""What `measure lifetime` reads and says alike of customers who buy and of subscribers who pay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bespeak.cli.measuring.columns import Table, days, names
from bespeak.cli.measuring.report import tell_of_bad_lines
from bespeak.cli.output import note, say, table
from bespeak.errors import InvalidInput
from bespeak.learn.predicting.lifetime import Holdout
from bespeak.signals.counts import counted


class Dated(NamedTuple):
    """Rows of a file by customer and day.

    Attributes:
        ids: customers.
        who: int64[n] into `ids`.
        when: int64[n], days since 1970.
        kept: int64[m], the rows that count, ascending.
    """

    ids: list[str]
    who: npt.NDArray[np.int64]
    when: npt.NDArray[np.int64]
    kept: npt.NDArray[np.int64]


def dated_rows(
    rows: Table, customer: str, date: str, what: str, amount: npt.NDArray[np.float64] | None = None
) -> Dated:
    """Returns the rows that have a customer and a date, and says how many are left out.

    Args:
        rows: of the file.
        customer, date: columns.
        what: what a row is one of, in the plural.
        amount: float64[n]; rows below 0 are refunds and left out. None where there are none.

    Raises:
        InvalidInput: no row is left.
    """
    ids, who = names(rows.rows, customer)
    when, is_dated = days(rows.rows, date)
    is_whole = (who >= 0) & is_dated
    if (n_lacking := int((~is_whole).sum())) > 0:
        note(f"{counted(n_lacking, 'row lacks', 'rows lack')} a customer or a date: left out.")
    is_refund = np.zeros(len(rows), bool) if amount is None else is_whole & (amount < 0)
    if (n_refunds := int(is_refund.sum())) > 0:
        note(f"{counted(n_refunds, 'row')} with an amount below 0, refunds and no {what}: left out.")
    kept = np.flatnonzero(is_whole & ~is_refund)
    if not len(kept):
        raise InvalidInput(f"The file holds no {what}.", hint=f"Is '{customer}' the customer and '{date}' the date?")
    return Dated(ids, who, when, kept)


def last_day(asked: int | None, latest: int, calibrated: int) -> int:
    """Returns the last day that the file tells of, in days since 1970: as asked for, else its latest date.

    Raises:
        InvalidInput: it lies before the last day that is learned from.
    """
    last = asked if asked is not None else max(latest, calibrated)
    if last < calibrated:
        raise InvalidInput("--end lies before --calibration-end.", hint="The prediction period lies between them.")
    return last


def show_parameters(held: Mapping[str, float]) -> None:
    """Shows what a model was fitted with."""
    table(["parameter", "value"], [[name, f"{value:.4f}"] for name, value in held.items()], right=[1])


def show_holdouts(held: Mapping[str, Holdout | None]) -> None:
    """Shows predictions beside what came, one line each; nothing of what was not foretold."""
    lines = [_line(name, one) for name, one in held.items() if one is not None]
    if lines:
        say()
        heads = ["after the calibration", "predicted", "actual", "error", "per customer", "correlation"]
        table(heads, lines, right=range(1, 6))


def tell_of_rows(rows: Table, n_later: int, what: str, *, has_holdout: bool) -> None:
    """Says which rows no figure holds.

    Args:
        rows: of the file.
        n_later: of `what`, how many began after the calibration.
        has_holdout: whether anything lies after the calibration.
    """
    tell_of_bad_lines(rows.bad)
    if n_later:
        note(f"{n_later:,} {what} after the calibration; no figure holds them.")
    if not has_holdout:
        note("Nothing lies after the calibration, so nothing shows how good the predictions are.")


def _line(name: str, held: Holdout) -> list[str | None]:
    return [
        name,
        f"{held.predicted:,.0f}",
        f"{held.actual:,.0f}",
        f"{held.predicted / held.actual - 1:+.1%}" if held.actual else None,
        f"{held.mae:.3f}",
        None if held.correlation is None else f"{held.correlation:.3f}",
    ]
