"""`measure compare`: the statistics of experiments on data from outside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bespeak.cli.measure_file import Columns, Units, read_units
from bespeak.cli.output import bar, emit, note, say, table, warn
from bespeak.cli.project import JsonOption
from bespeak.errors import InvalidInput, UnknownName
from bespeak.measure.comparison import Comparison, compare
from bespeak.measure.multiplicity import holm
from bespeak.measure.sample_ratio import SampleRatio, check_sample_ratio
from bespeak.measure.sequential import MIN_CONVERSIONS
from bespeak.measure.words import Kind, sentence

measure = typer.Typer(no_args_is_help=True, help="Statistics on data from outside; needs no project.")

_FEW_CONVERSIONS = 10
_RATIO = "ratio:"


@measure.callback()
def _group() -> None:
    """Statistics on data from outside; needs no project."""


@dataclass(frozen=True, slots=True)
class _Asked:
    metric: str
    kind: Kind
    denominator: str | None
    control: str
    covariate: str | None
    is_sequential: bool

    @property
    def kind_text(self) -> str:
        return f"{_RATIO}{self.denominator}" if self.denominator else self.kind

    @property
    def metric_text(self) -> str:
        return f"{self.metric} / {self.denominator}" if self.denominator else self.metric


@measure.command("compare")
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
    columns = Columns(variant, metric, denominator, covariate)
    with bar("comparing") as told:
        units = read_units(file, columns, told)
    _check(units, control, variant, metric, wanted)
    asked = _Asked(
        metric, wanted or ("proportion" if units.is_binary else "mean"), denominator, control, covariate, is_sequential
    )
    found = _compared(units, asked)
    ratio = check_sample_ratio(units.assigned, _shares(expected))
    if as_json:
        emit(_document(units, asked, found, ratio))
    else:
        _show(units, asked, found, ratio)
    _tell(units, asked, found, ratio)


def _kind(text: str | None) -> tuple[Kind | None, str | None]:
    """The kind that was asked for and the denominator's column."""
    if text is None:
        return None, None
    if text.startswith(_RATIO) and text != _RATIO:
        return "ratio", text.removeprefix(_RATIO)
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
            raise InvalidInput(
                f"'{names[0]}' has fewer than two rows with a value of '{metric}'.",
                hint="A spread cannot be told from one.",
            )
    if kind == "proportion" and not units.is_binary:
        raise InvalidInput(f"'{metric}' holds values other than 0 and 1.", hint="A proportion is of units that did it.")


def _compared(units: Units, asked: _Asked) -> dict[str, Comparison | None]:
    """Variant -> its comparison, None for one with fewer than two units; refuses a metric that never varies."""
    control = units.sums[asked.control]
    found = {
        name: compare(control, sums, is_proportion=asked.kind == "proportion", is_sequential=asked.is_sequential)
        if sums.n > 1
        else None
        for name, sums in sorted(units.sums.items())
        if name != asked.control
    }
    if all(one is None or one.p_value is None for one in found.values()):
        raise InvalidInput(
            f"'{asked.metric_text}' does not vary within any group.",
            hint="Take another metric, or wait for more data.",
        )
    return found


def _document(units: Units, asked: _Asked, found: dict[str, Comparison | None], ratio: SampleRatio) -> dict[str, Any]:
    control = next(one for one in found.values() if one is not None)
    return {
        "metric": asked.metric,
        "kind": asked.kind_text,
        "control": {"name": asked.control, "n": control.control_n, "mean": control.control},
        "variants": [_entry(name, units.sums[name].n, one) for name, one in found.items()],
        "sample_ratio": {"p_value": ratio.p_value},
    }


def _entry(name: str, n: int, one: Comparison | None) -> dict[str, Any]:
    return {
        "name": name,
        "n": n,
        "mean": one and one.variant,
        "difference": one and one.difference,
        "difference_interval": one and one.difference_interval,
        "lift": one and one.lift,
        "lift_interval": one and one.lift_interval,
        "p_value": one and one.p_value,
    }


def _show(units: Units, asked: _Asked, found: dict[str, Comparison | None], ratio: SampleRatio) -> None:
    p_values = {name: one.p_value for name, one in found.items() if one is not None and one.p_value is not None}
    raised = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    has_many = len(p_values) > 1
    is_rate = asked.kind == "proportion"
    control = next(one for one in found.values() if one is not None)
    rows = [[asked.control, control.control_n, _amount(control.control, is_rate)] + [""] * (6 if has_many else 5)]
    for name, one in found.items():
        rows.append([name, units.sums[name].n, *(_cells(one, is_rate) if one is not None else [])])
        rows[-1] += [""] * (len(rows[0]) - len(rows[-1]))
        if has_many and name in raised:
            rows[-1][-1] = f"{raised[name]:.4f}"
    heads = [asked.kind, "n", "share" if is_rate else "mean" if asked.kind == "mean" else "ratio"]
    heads += ["difference", "95 % interval", "lift", "95 % interval", "p"]
    heads += [f"p of {len(p_values)}"] if has_many else []
    table(heads, rows, title=asked.metric_text, right=range(1, len(heads)))
    say()
    if ratio.is_broken:
        say("No verdict: the groups are not as large as they should be, so units were lost or moved.", style="bold red")
        return
    for name, one in found.items():
        if one is not None:
            p = raised.get(name)
            say(
                sentence(one, metric=asked.metric_text, kind=asked.kind, control=asked.control, variant=name, p_value=p)
            )


def _cells(one: Comparison, is_rate: bool) -> list[str]:
    difference, lift = one.difference_interval, one.lift_interval
    return [
        _amount(one.variant, is_rate),
        _amount(one.difference, is_rate, sign="+"),
        f"{_amount(difference.low, is_rate, sign='+')} to {_amount(difference.high, is_rate, sign='+')}"
        if difference
        else "",
        f"{one.lift:+.2%}" if one.lift is not None else "",
        f"{lift.low:+.2%} to {lift.high:+.2%}" if lift else "",
        f"{one.p_value:.4f}" if one.p_value is not None else "",
    ]


def _amount(value: float, is_rate: bool, sign: str = "") -> str:
    return f"{value:{sign}.3%}" if is_rate else f"{value:{sign}.5g}"


def _tell(units: Units, asked: _Asked, found: dict[str, Comparison | None], ratio: SampleRatio) -> None:
    """What a reader must know of how the figures came about, on stderr."""
    sizes = ", ".join(f"{name} {n:,}" for name, n in sorted(units.assigned.items()))
    if ratio.is_broken:
        warn(f"SAMPLE RATIO MISMATCH (p = {ratio.p_value:.2g}): {sizes}. Do not act on these figures.")
        warn("Find out where units get lost or moved: redirects, bot filters, a late start, the assignment itself.")
        warn("If the groups were meant to differ in size, say so with --expected.")
    elif ratio.is_doubtful:
        warn(f"The sizes of the groups are doubtful (p = {ratio.p_value:.2g}): {sizes}. Look for lost units.")
    _tell_of_rows(units)
    for name, one in found.items():
        if one is None:
            warn(f"'{name}' has fewer than two rows with a value, so it is not compared.")
        elif one.lift_interval is None and one.difference_interval is not None:
            warn(
                f"The control's {asked.metric_text} cannot be told from zero, so the lift to '{name}' has no interval."
            )
    _tell_of_conversions(units, asked)
    if asked.covariate is not None:
        note(f"Differences and lifts are adjusted for '{asked.covariate}'; means stand as they are in the file.")


def _tell_of_rows(units: Units) -> None:
    if units.n_left_out:
        note(f"{units.n_left_out:,} rows lack a number and are left out; they count in the sample ratio.")
        kept = {name: sums.n for name, sums in units.sums.items()}
        whole = {name: float(n) for name, n in units.assigned.items()}
        if check_sample_ratio(kept, whole).is_broken:
            warn("Numbers are missing more often in some groups than in others: what is left may not be comparable.")
    if units.n_without_variant:
        note(f"{units.n_without_variant:,} rows have no variant and are left out.")
    if units.n_bad:
        warn(f"{units.n_bad:,} lines could not be read, the first is line {units.first_bad:,}; they are left out.")


def _tell_of_conversions(units: Units, asked: _Asked) -> None:
    needed = MIN_CONVERSIONS if asked.is_sequential else _FEW_CONVERSIONS
    for name, sums in sorted(units.sums.items()):
        n = round(sums.n * min(sums.means[0], 1 - sums.means[0])) if asked.kind == "proportion" else sums.n
        if sums.n > 1 and n < needed:
            what = "units with the rarer outcome" if asked.kind == "proportion" else "units"
            tell = warn if asked.is_sequential else note
            tell(f"'{name}' has only {n:,} {what}; the intervals hold from about {needed} on.")
