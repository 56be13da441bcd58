"""Which of two interleaved policies people prefer: each person's clicks on either team's items, as one vote.

A person votes for the team whose items they clicked more often. If neither policy is better, each vote is a fair coin
whatever a person's habits are: team draft gives both teams the same places. So the share of votes is compared with one
half (Radlinski, Kurup and Joachims 2008). A person is one vote however much they click, because clicks of one person
are not independent.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from bespeak.measure import sequential
from bespeak.measure.lift import Interval

TIGHTEST_AT = 300
"""Votes at which the sequence is tightest: interleaving tells with far fewer people than arms side by side."""

MIN_VOTES = 50
"""Votes that are needed before the first look."""


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """What the votes say.

    Attributes:
        n_first, n_second: votes for either team; n_ties: people who clicked both alike.
        share: of the votes for the second team; None without votes.
        interval: of the share, of 95 %; it holds at every look. None with fewer than `MIN_VOTES`.
        p_value: of the share being one half, at every look; None likewise.
        sign_test_p_value: the same, exact, for one planned look.
    """

    n_first: int
    n_second: int
    n_ties: int
    share: float | None = None
    interval: Interval | None = None
    p_value: float | None = None
    sign_test_p_value: float | None = None


def preference(votes: npt.ArrayLike, alpha: float = 0.05) -> Preference:
    """Counts votes.

    Args:
        votes: for each person who clicked anything, clicks on the second team's items less those on the first's.
        alpha: 1 - level of the interval.

    Example:
        >>> found = preference([1] * 60 + [-1] * 40 + [0] * 10)
        >>> found.share, found.n_ties, round(found.sign_test_p_value, 3)
        (0.6, 10, 0.057)
    """
    held = np.asarray(votes, np.float64)
    n_first, n_second = int((held < 0).sum()), int((held > 0).sum())
    n = n_first + n_second
    ties = len(held) - n
    if not n:
        return Preference(n_first=0, n_second=0, n_ties=ties)
    share = n_second / n
    found = Preference(
        n_first=n_first,
        n_second=n_second,
        n_ties=ties,
        share=share,
        sign_test_p_value=min(1.0, 2 * float(bdtr(min(n_first, n_second), n, 0.5))),
    )
    if n < MIN_VOTES:
        return found
    error = math.sqrt(max(share * (1 - share), 0.25 / n) / n)
    reach = sequential.critical(n, alpha, TIGHTEST_AT) * error
    return msgspec.structs.replace(
        found,
        interval=Interval(max(0.0, share - reach), min(1.0, share + reach)),
        p_value=sequential.p_value(n, (share - 0.5) / error, alpha, TIGHTEST_AT),
    )
