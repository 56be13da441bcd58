"""What an action causes: how often success comes where it is done, less how often it comes where nothing is.

A placement with `uplift = "learned"` does nothing at random for a known share of people, and tries actions at random.
Of each action, the decisions count in which it might have been done and nothing might have been done as well, each by 1
/ the probability p of what happened (Hajek's estimate of both rates, each over the same people):

    rate = sum of w r / sum of w        w = 1 / p, faded; r = 1 for a success, else 0
    uplift = rate where done - rate where nothing was done
    variance of a rate = sum of w^2 (r - rate)^2 / (sum of w)^2
    rows of a side = (sum of w)^2 / sum of w^2            rows = 1 / (1 / rows done + 1 / rows withheld)

While rows are scarce the uplift is mostly what the item states: `(rows * uplift + prior_rows * stated) / (rows +
prior_rows)`, and its interval is that of the measured part, shrunk as much. Sums are kept per action as creatives
`done` and `withheld`, and with w^2 in place of w as `done2` and `withheld2` (see `creative_sums`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

from bespeak.signals.decisions import Decision

DONE, WITHHELD = "done", "withheld"
_SQUARED = "2"
_SURE = 1.959964
_NO_ROWS = 1e-9

Sums = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Caused:
    """By how much an action raises the probability of success.

    Attributes:
        uplift: what to reckon with.
        low, high: of a 95 % interval around it.
        n_done, n_withheld: rows behind it, as many even ones as say the same.
    """

    uplift: float
    low: float
    high: float
    n_done: float = 0.0
    n_withheld: float = 0.0


class _Rate(NamedTuple):
    mean: float
    variance: float
    n: float


def rows_of(decision: Decision, reward: float, weight: float) -> Iterator[tuple[str, str, float, float]]:
    """Yields (action, side, weight, reward): what one decision says of the actions that might have been done in it.

    Args:
        decision: of actions, drawn.
        reward: 1 for a success, else 0.
        weight: of the decision.
    """
    if not decision.withheld_propensity:
        return
    if decision.items:
        shown = decision.items[0]
        found = [(shown.item_id, DONE, shown.propensity)]
    else:
        found = [(item_id, WITHHELD, decision.withheld_propensity) for item_id, _ in decision.candidates]
    for item_id, side, propensity in found:
        yield item_id, side, weight / propensity, reward
        yield item_id, side + _SQUARED, weight / propensity**2, reward


def caused(held: Mapping[str, Sums], stated: float, prior_rows: float) -> Caused:
    """Returns what the sums of one action say of its uplift.

    Args:
        held: side -> sums.
        stated: what is taken to be so before anything was learned.
        prior_rows: how many rows weigh as much as what is stated.

    Example:
        >>> done, withheld = (200.0, 60.0, 60.0), (200.0, 20.0, 20.0)
        >>> rows = {"done": done, "done2": done, "withheld": withheld, "withheld2": withheld}
        >>> found = caused(rows, 0.0, 100.0)
        >>> round(found.uplift, 3), round(found.low, 3), round(found.high, 3)
        (0.1, 0.062, 0.138)
        >>> caused({}, 0.04, 100.0).uplift
        0.04
    """
    done, withheld = _rate(held, DONE), _rate(held, WITHHELD)
    if done is None or withheld is None:
        return Caused(stated, -1.0, 1.0)
    rows = 1 / (1 / done.n + 1 / withheld.n)
    share = rows / (rows + prior_rows)
    uplift = share * (done.mean - withheld.mean) + (1 - share) * stated
    margin = _SURE * share * sqrt(done.variance + withheld.variance)
    return Caused(uplift, uplift - margin, uplift + margin, done.n, withheld.n)


def _rate(held: Mapping[str, Sums], side: str) -> _Rate | None:
    n, total, _ = held.get(side, (0.0, 0.0, 0.0))
    squared, squared_total, squared_squares = held.get(side + _SQUARED, (0.0, 0.0, 0.0))
    if n <= _NO_ROWS or squared <= _NO_ROWS:
        return None
    mean = total / n
    left = squared_squares - 2 * mean * squared_total + mean**2 * squared
    return _Rate(mean, max(left, 0.0) / n**2, n**2 / squared)
