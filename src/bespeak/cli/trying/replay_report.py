"""What a replay found: as JSON, as a table with a sentence, and what a reader must know beside the figures."""

from __future__ import annotations

from typing import Any

from bespeak.cli.output import note, say, table, warn
from bespeak.errors import InvalidInput
from bespeak.measure.off_policy import Estimate, Evaluation
from bespeak.measure.overlap import FEWEST_EFFECTIVE, Overlap

_TRUSTED = ("dr", "sndr", "snips", "ips")
"""Whose word the sentence takes, the first that is there."""
_NO_BIAS = {
    "dm": "dm is the reward model's word alone; its interval knows nothing of how wrong the model is.",
    "switch": "switch and dros trade bias for spread; their intervals know nothing of the bias.",
    "dros": "switch and dros trade bias for spread; their intervals know nothing of the bias.",
}


def document(found: Evaluation) -> dict[str, Any]:
    """The answer as JSON, unrounded; `refused` says why there is no estimate, null where there are."""
    return {
        "n": found.overlap.n,
        "n_decisions": found.overlap.n_decisions,
        "logged": _plain(found.logged),
        "estimates": [
            {
                "estimator": one.name,
                **_plain(one),
                "difference": one.difference,
                "difference_interval": one.difference_interval,
            }
            for one in found.estimates.values()
        ],
        "diagnostics": _diagnostics(found.overlap),
        "refused": found.refusal or None,
        "warnings": warnings(found),
    }


def show(found: Evaluation, *, reward: str = "reward", unit: str = "decision") -> None:
    """Writes the table and, unless the propensities are wrong, a sentence; without estimates only the diagnostics."""
    own = found.logged
    rows = [["the log's own policy", own.value, own.standard_error, _ends(own.interval), None, None]]
    rows += [
        [one.name, one.value, one.standard_error, _ends(one.interval), one.difference, _ends(one.difference_interval)]
        for one in found.estimates.values()
    ]
    heads = ("", f"{reward} a {unit}", "error", "95 % interval", "difference", "95 % interval")
    table(heads, [[_text(cell) for cell in row] for row in rows], right=range(1, 6))
    seen = found.overlap
    low, high = seen.mean_weight_interval
    unsupported = "" if seen.unsupported is None else f"; never tried: {seen.unsupported:.2%}"
    note(
        f"{seen.n_decisions:,} decisions, {seen.n:,} rows; effective {seen.effective:,.0f}; largest weight "
        f"{seen.max_weight:,.4g}; mean weight {seen.mean_weight:.4f} ({low:.4f} to {high:.4f}){unsupported}"
    )
    if found.estimates:
        say()
        if seen.suspicion:
            say("No verdict: the figures weigh rewards by propensities that cannot be right.", style="bold red")
            return
        first = next((name for name in _TRUSTED if name in found.estimates), next(iter(found.estimates)))
        say(sentence(found.estimates[first], own, reward=reward, unit=unit))


def sentence(one: Estimate, own: Estimate, *, reward: str, unit: str) -> str:
    """Says whether the evaluated policy would have earned more.

    Example:
        >>> from bespeak.measure.lift import Interval
        >>> own = Estimate("logged", 0.20, 0.01, Interval(0.18, 0.22))
        >>> found = Estimate("dr", 0.25, 0.01, Interval(0.23, 0.27), 0.05, 0.01, Interval(0.03, 0.07))
        >>> sentence(found, own, reward="click", unit="decision")
        'It would have won: 0.25 click a decision instead of 0.2, from 0.03 to 0.07 more (dr).'
    """
    assert one.difference_interval is not None
    low, high = one.difference_interval
    beside = f"{one.value:.4g} {reward} a {unit} instead of {own.value:.4g}"
    if low > 0:
        return f"It would have won: {beside}, from {low:.4g} to {high:.4g} more ({one.name})."
    if high < 0:
        return f"It would have lost: {beside}, from {-high:.4g} to {-low:.4g} less ({one.name})."
    return f"They cannot be told apart: {beside}; from {low:+.4g} to {high:+.4g} is possible ({one.name})."


def warnings(found: Evaluation) -> list[str]:
    """What stands against the figures, or explains why there are none."""
    told = [found.overlap.suspicion] if found.overlap.suspicion else []
    return [*told, *dict.fromkeys(_NO_BIAS[name] for name in found.estimates if name in _NO_BIAS)]


def tell(found: Evaluation, *, hint: str = "") -> None:
    """Writes the warnings on stderr.

    Raises:
        InvalidInput: there is no figure; says why.
    """
    for text in warnings(found):
        warn(text)
    if found.refusal:
        raise InvalidInput(f"No figure: {found.refusal}", hint=hint)


def _plain(one: Estimate) -> dict[str, Any]:
    return {"value": one.value, "standard_error": one.standard_error, "interval": one.interval}


def _diagnostics(seen: Overlap) -> dict[str, Any]:
    return {
        "effective_sample_size": seen.effective,
        "effective_by_position": seen.effective_by_position,
        "effective_needed": FEWEST_EFFECTIVE,
        "max_weight": seen.max_weight,
        "mean_weight": seen.mean_weight,
        "mean_weight_interval": seen.mean_weight_interval,
        "share_matched": seen.share_matched,
        "unsupported_mass": seen.unsupported,
    }


def _ends(interval: tuple[float, float] | None) -> str | None:
    return None if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"


def _text(cell: Any) -> Any:
    return f"{cell:.4g}" if isinstance(cell, float) else cell
