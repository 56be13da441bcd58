"""`measure compare`: the statistics of experiments on data from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bespeak.cli.measuring.file import Columns, Units, read_units
from bespeak.cli.measuring.report import RATIO, Result, document, show, tell
from bespeak.cli.options import JsonOption
from bespeak.cli.output import bar, emit
from bespeak.errors import InvalidInput, UnknownName
from bespeak.measure.comparison import Comparison, compare
from bespeak.measure.sample_ratio import check_sample_ratio
from bespeak.measure.words import Kind


def compare_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSONL or Parquet: one row for each unit.")],
    variant: Annotated[str, typer.Option("--variant", metavar="COL", help="The column of groups.")],
    control: Annotated[
        str, typer.Option("--control", metavar="NAME", help="The group that all others are set beside.")
    ],
    metric: Annotated[str, typer.Option("--metric", metavar="COL", help="The column of outcomes; true counts as 1.")],
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="mean, proportion, or ratio:COL for the metric's sum over that of another column; else proportion "
            "where all values are 0 or 1, and mean.",
        ),
    ] = None,
    covariate: Annotated[
        str | None,
        typer.Option("--covariate", metavar="COL", help="The unit's figure from before, to narrow intervals (CUPED)."),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit",
            metavar="COL",
            help="Who was given the variant, where that one has several rows: the person. Else each row is a unit.",
        ),
    ] = None,
    is_sequential: Annotated[
        bool, typer.Option("--sequential", help="Intervals and p-values that hold however often you look.")
    ] = False,
    expected: Annotated[
        str | None,
        typer.Option("--expected", metavar="NAME=SHARE,…", help="How large the groups should be; else all alike."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sets every other group of a file beside the control: difference, lift, intervals, p-value, sample ratio."""
    wanted, denominator = _kind(kind)
    with bar("comparing") as told:
        units = read_units(file, Columns(variant, metric, denominator, covariate, unit), told)
    _check(units, control, variant, metric, wanted)
    found_kind: Kind = wanted or ("proportion" if units.is_binary else "mean")
    result = Result(
        metric=metric,
        denominator=denominator,
        covariate=covariate,
        kind=found_kind,
        is_sequential=is_sequential,
        control=control,
        units=units,
        comparisons=_compared(units, control, found_kind, is_sequential),
        ratio=check_sample_ratio(units.assigned, _shares(expected)),
    )
    if as_json:
        emit(document(result))
    else:
        show(result)
    tell(result)


def _kind(text: str | None) -> tuple[Kind | None, str | None]:
    """The kind that was asked for and the denominator's column."""
    if text is None:
        return None, None
    if text.startswith(RATIO) and text != RATIO:
        return "ratio", text.removeprefix(RATIO)
    if text == "mean":
        return "mean", None
    if text == "proportion":
        return "proportion", None
    raise InvalidInput(f"--kind {text} is none.", hint="Allowed: mean, proportion, ratio:COL.")


def _shares(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    found: dict[str, float] = {}
    for entry in text.split(","):
        name, _, share = entry.rpartition("=")
        try:
            found[name.strip()] = float(share)
        except ValueError:
            raise InvalidInput("--expected reads name=share,….", hint="For example: --expected A=0.9,B=0.1") from None
    return found


def _check(units: Units, control: str, variant: str, metric: str, kind: Kind | None) -> None:
    """Refuses what no comparison can be made of."""
    if not units.assigned:
        raise InvalidInput("The file holds no row with a variant.", hint=f"Is '{variant}' the column of groups?")
    if control not in units.assigned:
        raise UnknownName("variant", control, sorted(units.assigned), limit=40)
    others = [name for name in units.assigned if name != control]
    if not others:
        raise InvalidInput(f"All rows are of '{control}'.", hint="A comparison needs a second variant.")
    for names in ([control], others):
        if max(units.sums[name].n for name in names) < 2:
            several = f" {units.n_in_several:,} units have rows of several variants." if units.n_in_several else ""
            raise InvalidInput(
                f"'{names[0]}' has fewer than two rows with a value of '{metric}'.",
                hint=f"A spread cannot be told from one.{several}",
            )
    if kind == "proportion" and not units.is_binary:
        raise InvalidInput(f"'{metric}' holds values other than 0 and 1.", hint="A proportion is of units that did it.")


def _compared(units: Units, control: str, kind: Kind, is_sequential: bool) -> dict[str, Comparison | None]:
    """Variant -> its comparison, None for one with fewer than two units; refuses a metric that never varies."""
    found: dict[str, Comparison | None] = {}
    for name, sums in sorted(units.sums.items()):
        if name != control:
            found[name] = (
                compare(units.sums[control], sums, is_proportion=kind == "proportion", is_sequential=is_sequential)
                if sums.n > 1
                else None
            )
    if all(one is None or one.p_value is None for one in found.values()):
        raise InvalidInput(
            "The metric does not vary within any group.", hint="Take another metric, or wait for more data."
        )
    return found
