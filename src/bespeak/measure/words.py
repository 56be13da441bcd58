"""A comparison as a sentence: which way, how much, between what ends, and when nothing can be said."""

from __future__ import annotations

from typing import Literal

from bespeak.measure.comparison import Comparison

Kind = Literal["mean", "proportion", "ratio"]


def sentence(
    found: Comparison,
    *,
    metric: str,
    kind: Kind,
    control: str,
    variant: str,
    p_value: float | None,
    alpha: float = 0.05,
) -> str:
    """Says what a comparison says.

    Args:
        found: the comparison.
        metric: name of the metric, such as `revenue` or `orders / sessions`.
        kind: what the metric is.
        control, variant: names of the groups.
        p_value: of the comparison, raised where there are several.
        alpha: below which p-value a difference counts as told.

    Example:
        >>> from bespeak.measure.comparison import compare
        >>> from bespeak.measure.sums import Sums
        >>> found = compare(Sums.from_totals(9_000, [450], [[450]]), Sums.from_totals(9_000, [540], [[540]]),
        ...                 is_proportion=True)
        >>> said = sentence(found, metric="bought", kind="proportion", control="A", variant="B", p_value=found.p_value)
        >>> said.partition(" (")[0]
        'B converts 20.0 % more often than A'
        >>> said.partition(" (")[2]
        'bought: 6.00 % instead of 5.00 %; from 6.3 % more to 35.7 % more; p = 0.0033).'
    """
    ends = _ends(found, kind)
    if p_value is None or ends is None:
        return f"{variant} and {control} cannot be compared: {metric} does not vary in them."
    p = "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.2g}"
    if p_value >= alpha and found.p_value is not None and found.p_value < alpha:
        return (
            f"{variant} and {control} cannot be told apart in {metric} in one of several comparisons: alone it says "
            f"{ends} ({p}, raised for their number)."
        )
    if p_value >= alpha:
        return f"{variant} and {control} cannot be told apart in {metric}: {ends} is possible ({p})."
    amount = found.difference if found.lift is None or found.lift_interval is None else found.lift
    by = _by(amount, found, kind)
    if kind == "proportion":
        here, there = f"{100 * found.variant:.2f} %", f"{100 * found.control:.2f} %"
        return f"{variant} converts {by} often than {control} ({metric}: {here} instead of {there}; {ends}; {p})."
    values = f"{found.variant:.4g} instead of {found.control:.4g}"
    return f"{metric} is {by} with {variant} than with {control} ({values}; {ends}; {p})."


def _ends(found: Comparison, kind: Kind) -> str | None:
    """Both ends of the lift, or of the difference where there is no lift."""
    held = found.lift_interval or found.difference_interval
    return None if held is None else f"from {_by(held.low, found, kind)} to {_by(held.high, found, kind)}"


def _by(amount: float, found: Comparison, kind: Kind) -> str:
    more, less = ("more", "less") if kind == "proportion" else ("higher", "lower")
    is_more = amount >= 0
    if found.lift_interval is not None:
        is_more = is_more == (found.control > 0)  # of a negative control, a lift is a fall
        return f"{100 * abs(amount):.1f} % {more if is_more else less}"
    points = f"{100 * abs(amount):.2f} points" if kind == "proportion" else f"{abs(amount):.4g}"
    return f"{points} {more if is_more else less}"
