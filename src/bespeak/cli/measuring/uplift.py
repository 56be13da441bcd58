"""`measure uplift`: who is worth treating, from a randomised test in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from bespeak.cli.measuring.columns import (
    Block,
    Table,
    column_names,
    is_numeric,
    known_columns,
    names,
    numbers,
    read_table,
)
from bespeak.cli.measuring.report import tell_of_bad_lines
from bespeak.cli.measuring.table import check_out, write_table
from bespeak.cli.options import JsonOption
from bespeak.cli.output import bar, emit, note, say, table, warn
from bespeak.errors import InvalidInput
from bespeak.learn.predicting.uplift import RANDOM, RESPONSE, Uplift, judge_uplift
from bespeak.measure.uplift import Figure
from bespeak.signals.counts import counted

_WORDS = {"t_learner": "T-learner", "dr_learner": "DR-learner", RESPONSE: "response model", RANDOM: "random"}


def uplift(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSONL or Parquet: one row for each person.")],
    treatment: Annotated[
        str, typer.Option("--treatment", metavar="COL", help="The column of 1 (treated) and 0, assigned at random.")
    ],
    outcome: Annotated[str, typer.Option("--outcome", metavar="COL", help="What came of it; true counts as 1.")],
    features: Annotated[
        str | None,
        typer.Option("--features", metavar="COL,…", help="Columns to predict from, known before; else all others."),
    ] = None,
    treated: Annotated[
        str | None, typer.Option("--treated", metavar="NAME", help="Where the treatment is a name: the treated group.")
    ] = None,
    control: Annotated[
        str | None, typer.Option("--control", metavar="NAME", help="The untreated group; other groups are left out.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the folds and the intervals.", min=0)] = 1,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The predicted uplift of each row: .csv or .parquet."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ranks people by what a treatment does to them, and shows what such a ranking is worth for people it never saw."""
    check_out(out)
    if (treated is None) != (control is None):
        raise InvalidInput("--treated and --control belong together.", hint="Name both groups, or neither.")
    named = [part.strip() for part in (features or "").split(",") if part.strip()]
    chosen = [name for name in named or column_names(file) if named or name not in (treatment, outcome)]
    columns = [treatment, outcome, *chosen]
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"The column '{twice}' is named twice.", hint="Each part needs a column of its own.")
    with bar("judging") as told:
        rows = read_table(file, columns, told)
        arm = _arms(rows.rows, treatment, treated, control)
        y = numbers(rows.rows, outcome)
        kept = (arm >= 0) & ~np.isnan(y)
        _check(kept, treatment, outcome)
        found = judge_uplift(
            known_columns(rows.rows, chosen, kept),
            y[kept],
            arm[kept] == 1,
            np.random.default_rng(seed),
            keep=named,
            told=lambda share: told("fitting", share),
        )
    if as_json:
        emit({"treatment": treatment, "outcome": outcome, **document(found)})
    else:
        _show(found, outcome)
    _tell(found, rows, kept)
    if out is not None:
        _write(found, rows, kept, out)
        note(f"Uplift of {counted(len(found.scores), 'row')} by the {_WORDS[found.best]}: {out.name}.")


def document(found: Uplift) -> dict[str, Any]:
    """The answer as JSON, unrounded; null for what has no answer."""
    return {
        "kind": found.kind,
        "n_train": found.n_train,
        "n_test": found.n_test,
        "n_folds": found.n_folds,
        "features": list(found.features),
        "average": {"uplift": found.average.difference, "interval": found.average.difference_interval},
        "models": [
            {
                "name": name,
                "qini": figures.qini.value,
                "qini_interval": figures.qini.interval,
                "auuc": figures.auuc.value,
                "auuc_interval": figures.auuc.interval,
                "uplift_at": [
                    {"share": share, "uplift": figure.value, "interval": figure.interval}
                    for share, figure in figures.uplift_at.items()
                ],
            }
            for name, figures in found.orders.items()
        ],
        "best": found.best,
    }


def _arms(rows: Block, column: str, treated: str | None, control: str | None) -> npt.NDArray[np.int64]:
    """int64[rows]: 1 treated, 0 not, -1 neither."""
    if treated is not None and control is not None:
        known, codes = names(rows, column)
        for name in (treated, control):
            if name not in known:
                raise InvalidInput(f"No row of '{column}' is '{name}'.", hint=f"There are: {', '.join(known[:12])}.")
        arm_of = np.array([{treated: 1, control: 0}.get(name, -1) for name in known] + [-1], np.int64)
        return arm_of[codes]
    if not is_numeric(rows, column):
        raise InvalidInput(f"'{column}' holds names.", hint="Say which two with --treated NAME --control NAME.")
    held = numbers(rows, column)
    if not (np.isnan(held) | (held == 0) | (held == 1)).all():
        raise InvalidInput(
            f"'{column}' holds other values than 0 and 1.", hint="Say which two with --treated 2 --control 0."
        )
    return np.where(np.isnan(held), -1, np.nan_to_num(held)).astype(np.int64)


def _check(kept: npt.NDArray[np.bool_], treatment: str, outcome: str) -> None:
    if not kept.any():
        raise InvalidInput(f"No row has both '{treatment}' and '{outcome}'.")


def _show(found: Uplift, outcome: str) -> None:
    average = found.average
    ends = average.difference_interval
    between = f" (95 % interval {_amount(ends.low, found)} to {_amount(ends.high, found)})" if ends else ""
    unit, points = (" points", "; in points of 100") if found.kind == "binary" else ("", "")
    say(f"Treating everybody changes {outcome} by {_amount(average.difference, found)}{unit}{between}.")
    say(f"Judged on {found.n_test:,} rows, each by learners that saw {found.n_train:,} others{points}:")
    say()
    shares = list(found.orders[RANDOM].uplift_at)
    heads = ["ranked by", "Qini", "95 % interval", "AUUC"]
    heads += [text for share in shares for text in (f"first {share:.0%}", "95 % interval")]
    rows = []
    for name, figures in found.orders.items():
        cells = [_WORDS[name], _plain(figures.qini), _plain_ends(figures.qini), _amount(figures.auuc.value, found)]
        for share in shares:
            figure = figures.uplift_at[share]
            held = figure.interval
            cells += [_amount(figure.value, found)]
            cells += [f"{_amount(held.low, found)} to {_amount(held.high, found)}" if held else None]
        rows.append(cells)
    table(heads, rows, right=range(1, len(heads)))
    say()
    say(_verdict(found))


def _verdict(found: Uplift) -> str:
    best = found.orders[found.best]
    figure, zero = (best.qini, 0.0) if best.qini.interval else (best.auuc, found.average.difference / 2)
    name = _WORDS[found.best]
    if figure.interval is None or figure.interval.low <= zero:
        return f"The {name} ranks no better than chance, as far as this can be told: treat everybody or nobody."
    return f"The {name} finds people whom the treatment moves more than others: its order is better than chance."


def _tell(found: Uplift, rows: Table, kept: npt.NDArray[np.bool_]) -> None:
    tell_of_bad_lines(rows.bad)
    if (n_lacking := int((~kept).sum())) > 0:
        note(f"{counted(n_lacking, 'row lacks', 'rows lack')} a group or an outcome, or are of other groups: left out.")
    for name, why in found.left_out.items():
        warn(f"'{name}' is left out ({why}). To use it all the same, name all features with --features.")
    if found.orders[found.best].qini.value is None:
        note("Qini is for outcomes of 0 and 1; go by AUUC, of which half the average uplift is chance.")


def _write(found: Uplift, rows: Table, kept: npt.NDArray[np.bool_], out: Path) -> None:
    lines = np.asarray(rows.rows.lines)[kept]
    write_table({"line": lines, "uplift": found.scores}, out)


def _amount(value: float | None, found: Uplift) -> str | None:
    if value is None:
        return None
    return f"{100 * value:+.2f}" if found.kind == "binary" else f"{value:+.4g}"


def _plain(figure: Figure) -> str | None:
    return None if figure.value is None else f"{figure.value:.3f}"


def _plain_ends(figure: Figure) -> str | None:
    return None if figure.interval is None else f"{figure.interval.low:.3f} to {figure.interval.high:.3f}"
