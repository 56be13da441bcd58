"""What `measure compare` found: as JSON, as a table with sentences, and what a reader must know beside the figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bespeak.cli.measuring.columns import BadLines
from bespeak.cli.measuring.file import Units
from bespeak.cli.output import note, say, table, warn
from bespeak.measure.comparison import Comparison
from bespeak.measure.lift import Interval
from bespeak.measure.multiplicity import holm
from bespeak.measure.pair import metric
from bespeak.measure.sample_ratio import SampleRatio, check_sample_ratio
from bespeak.measure.sequential import MIN_CONVERSIONS
from bespeak.measure.words import Kind, sentence
from bespeak.signals.counts import counted

RATIO = "ratio:"
_FEW = 10
"""Conversions (units, for other metrics) below which the normal curve is a poor guide even at one look."""

_SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Result:
    """What was asked of a file, and the answer.

    Attributes:
        metric, denominator, covariate: columns.
        kind: what the metric is.
        is_sequential: whether the intervals hold at every look.
        control: the variant that all others are set beside.
        units: what the file holds.
        comparisons: other variant -> comparison, None for one with fewer than two units.
        ratio: of the assigned units.
    """

    metric: str
    denominator: str | None
    covariate: str | None
    kind: Kind
    is_sequential: bool
    control: str
    units: Units
    comparisons: dict[str, Comparison | None]
    ratio: SampleRatio

    @property
    def metric_name(self) -> str:
        """The metric as people write it."""
        return f"{self.metric} / {self.denominator}" if self.denominator else self.metric


def document(result: Result) -> dict[str, Any]:
    """The answer as JSON: fractions, unrounded; null for what has no answer. p-values stand as they are, not raised."""
    control = result.units.sums[result.control]
    return {
        "metric": result.metric,
        "kind": f"{RATIO}{result.denominator}" if result.denominator else result.kind,
        "control": {"name": result.control, "n": control.n, "mean": metric(control)},
        "variants": [
            {
                "name": name,
                "n": result.units.sums[name].n,
                "mean": found and found.variant,
                "difference": found and found.difference,
                "difference_interval": found and found.difference_interval,
                "lift": found and found.lift,
                "lift_interval": found and found.lift_interval,
                "p_value": found and found.p_value,
            }
            for name, found in result.comparisons.items()
        ],
        "sample_ratio": {"p_value": result.ratio.p_value},
    }


def show(result: Result) -> None:
    """Writes the table and, unless the groups have wrong sizes, a sentence for each variant."""
    told = {name: found.p_value for name, found in result.comparisons.items() if found and found.p_value is not None}
    raised = dict(zip(told, holm(list(told.values())), strict=True))
    heads = [result.kind, "n", {"proportion": "share"}.get(result.kind, result.kind)]
    heads += ["difference", "95 % interval", "lift", "95 % interval", "p"]
    control = result.units.sums[result.control]
    rows = [[result.control, control.n, _amount(metric(control), result.kind), *[None] * 5]]
    for name, found in result.comparisons.items():
        cells = [None] * 6 if found is None else _cells(found, result.kind)
        rows.append([name, result.units.sums[name].n, *cells])
    if len(raised) > 1:
        heads.append(f"p of {len(raised)}")
        rows = [[*row, _p(raised.get(str(row[0])))] for row in rows]
    table(heads, rows, title=result.metric_name, right=range(1, len(heads)))
    say()
    if result.ratio.is_broken:
        say("No verdict: the groups are not as large as they should be, so units were lost or moved.", style="bold red")
        return
    for name, found in result.comparisons.items():
        if found is not None:
            say(
                sentence(
                    found,
                    metric=result.metric_name,
                    kind=result.kind,
                    control=result.control,
                    variant=name,
                    p_value=raised.get(name),
                )
            )


def tell(result: Result) -> None:
    """Writes notes and warnings on stderr."""
    units, ratio = result.units, result.ratio
    sizes = ", ".join(f"{name} {n:,}" for name, n in sorted(units.assigned.items()))
    if ratio.is_broken:
        warn(f"SAMPLE RATIO MISMATCH (p = {ratio.p_value:.2g}): {sizes}. Do not act on these figures.")
        warn("Find out where units get lost or moved: redirects, bot filters, a late start, the assignment itself.")
        warn("If the groups were meant to differ in size, say so with --expected.")
    elif ratio.is_doubtful:
        warn(f"The sizes of the groups are doubtful (p = {ratio.p_value:.2g}): {sizes}. Look for lost units.")
    _tell_of_rows(units)
    for name, found in result.comparisons.items():
        if found is None:
            warn(f"'{name}' has fewer than two rows with a value, so it is not compared.")
        elif found.lift_interval is None and found.difference_interval is not None:
            warn(f"The control's {result.metric_name} may be zero, so the lift to '{name}' has no interval.")
    _tell_of_stillness(result)
    _tell_of_conversions(result)
    _tell_of_looks(result)
    if result.covariate is not None:
        note(f"Differences and lifts are adjusted for '{result.covariate}'; means stand as they are in the file.")


def _cells(found: Comparison, kind: Kind) -> list[str | None]:
    ends, lift_ends = found.difference_interval, found.lift_interval
    return [
        _amount(found.variant, kind),
        _amount(found.difference, kind, "+"),
        None if ends is None else " to ".join(_amount(end, kind, "+") for end in ends),
        None if found.lift is None else f"{found.lift:+.2%}",
        None if lift_ends is None else _percents(lift_ends),
        _p(found.p_value),
    ]


def _percents(ends: Interval) -> str:
    return f"{ends.low:+.2%} to {ends.high:+.2%}"


def _amount(value: float, kind: Kind, sign: str = "") -> str:
    return f"{value:{sign}.3%}" if kind == "proportion" else f"{value:{sign}.5g}"


def _p(value: float | None) -> str | None:
    return None if value is None else "<0.0001" if value < 0.0001 else f"{value:.4f}"


def _tell_of_rows(units: Units) -> None:
    if units.n_left_out:
        lacking = counted(units.n_left_out, "unit lacks", "units lack")
        note(f"{lacking} a number: left out of all but the sample ratio.")
        kept = {name: sums.n for name, sums in units.sums.items()}
        if check_sample_ratio(kept, units.assigned).is_broken:
            warn("Numbers are missing more often in some groups than in others: what is left may not be comparable.")
    if units.n_without_variant:
        note(f"{counted(units.n_without_variant, 'row has', 'rows have')} no variant or no unit: left out.")
    if units.n_in_several:
        mixed = counted(units.n_in_several, "unit has", "units have")
        warn(f"{mixed} rows of several variants: left out. Whose are they?")
    tell_of_bad_lines(units.bad)


def tell_of_bad_lines(bad: BadLines) -> None:
    """Warns of lines that gave no row."""
    if bad.n:
        warn(f"{counted(bad.n, 'line')} could not be read, the first is line {bad.first:,}; left out.")


def _tell_of_looks(result: Result) -> None:
    """Warns of fixed figures that somebody may act on."""
    told = [one.p_value for one in result.comparisons.values() if one is not None and one.p_value is not None]
    if not result.is_sequential and min(told, default=1.0) < _SIGNIFICANT:
        warn(
            "These figures hold at one look that was planned before. Who looks forty times and stops as soon as p is "
            f"below {_SIGNIFICANT} finds in 3 of 10 tests what is not there; --sequential holds at every look."
        )


def _tell_of_stillness(result: Result) -> None:
    """Warns of groups whose own units say nothing of how sure their mean is."""
    if result.kind == "mean":
        for name, sums in sorted(result.units.sums.items()):
            if sums.n > 1 and not sums.products[0, 0]:
                warn(f"'{name}' has the same value throughout; the intervals know only how the other group varies.")


def _tell_of_conversions(result: Result) -> None:
    needed = MIN_CONVERSIONS if result.is_sequential else _FEW
    tell_of = warn if result.is_sequential else note
    for name, sums in sorted(result.units.sums.items()):
        is_rate = result.kind == "proportion"
        share = metric(sums) if is_rate and sums.n else 0.0
        n = round(sums.n * min(share, 1 - share)) if is_rate else result.units.n_nonzero[name]
        if sums.n > 1 and n < needed:
            with_what = (
                " with the rarer outcome" if is_rate else "" if n == sums.n else f" whose {result.metric} is not 0"
            )
            has = counted(n, "unit") + with_what
            tell_of(f"'{name}' has only {has}; the intervals hold from about {needed} on.")
