"""How much a decision counts while its window is open: the share of what will come of it that has come by now.

A decision that nobody answered yet is neither a "no" nor nothing. If F(age) is the share of all rewards that have come
at an age, then x x' counts F(age) and every reward counts in full as soon as it is there: both sums fall short by the
same factor, so the estimate has no bias, and a variant that was only now begun is not punished for the answers that it
still waits for (Vernade et al., "Linear bandits with stochastic delayed feedback", 2020; Chapelle, 2014). F is taken as
the same on every octave of time, `log(1 + age) / log(1 + window)` in seconds: answers come in seconds, or within days.
A world whose delays are others is foretold worse only until the window closes: then the decision counts 1.

The share rises in steps, so that a decision is touched a few times and not at every turn.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SETTLED_MS = 5_000
"""A decision may reach the store so late."""

N_STEPS = 4


class Shares:
    """The steps of one window.

    Attributes:
        ages_ms: int64[N_STEPS + 1], ascending: from each age on the next share holds; the last closes the window.

    Args:
        window_ms: an outcome counts so long after its decision.

    Example:
        >>> shares = Shares(30 * 60_000)
        >>> shares.at(np.array([0, 10_000, 60_000, 3_600_000])).round(2).tolist()
        [0.0, 0.33, 0.51, 1.0]
    """

    def __init__(self, window_ms: int) -> None:
        self.ages_ms = np.geomspace(SETTLED_MS, window_ms + SETTLED_MS, N_STEPS + 1).round().astype(np.int64)
        come = np.log1p(self.ages_ms / 1_000) / np.log1p(self.ages_ms[-1] / 1_000)
        self._shares = np.concatenate([[0.0], (come[:-1] + come[1:]) / 2, [1.0]])

    @property
    def first(self) -> float:
        """How much a decision counts once it has settled."""
        return float(self._shares[1])

    @property
    def closed_ms(self) -> int:
        """The age at which all is known."""
        return int(self.ages_ms[-1])

    def at(self, ages_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """float64[n]: how much decisions of these ages count."""
        return np.asarray(self._shares[np.searchsorted(self.ages_ms, ages_ms, side="right")], np.float64)

    def spans(self, before_ms: int, now_ms: int) -> list[tuple[int, int]]:
        """The spans of time, open at the start and closed at the end, whose decisions took a step since a moment."""
        found: list[tuple[int, int]] = []
        for age in self.ages_ms[::-1].tolist():
            first, last = before_ms - age, now_ms - age
            if found and first <= found[-1][1]:
                found[-1] = found[-1][0], max(found[-1][1], last)
            elif first < last:
                found.append((first, last))
        return found
