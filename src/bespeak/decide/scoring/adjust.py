"""What a placement adds to scores that a ranker gave: boosts, and rotation. Each is one more term of the sum.

boost.NAME   for the items that the boost's filter lets pass:  add + (factor - 1) * |score|
rotation     for an item that the person was shown in the last hours:
             -rate * (best score - least score) * (1 - time since / hours)

So the reasons hold every term, and their contributions add up to the score that the slate was built with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.filters import passing
from bespeak.decide.rankers.score import Scored
from bespeak.decide.reading import HOUR_MS
from bespeak.decide.scoring.features import FeatureMatrix
from bespeak.decide.situation import Situation

Int32s: TypeAlias = npt.NDArray[np.int32]
Float64s: TypeAlias = npt.NDArray[np.float64]

BOOST = "boost."
ROTATION = "rotation"


class _Term(NamedTuple):
    """One more term: its value float64[c], which counts with a weight."""

    name: str
    values: Float64s
    weight: float


def adjusted(situation: Situation, rows: Int32s, matrix: FeatureMatrix, scored: Scored) -> tuple[FeatureMatrix, Scored]:
    """The features and scores with the placement's own terms; the same objects where it has none.

    Args:
        situation: whose placement adds.
        rows: int32[c], catalogue indices of the candidates.
        matrix, scored: their features and scores.
    """
    terms = [*_boosts(situation, rows, scored.scores), *_rotation(situation, rows, scored.scores)]
    terms = [term for term in terms if term.weight and term.values.any()]
    if not terms:
        return matrix, scored
    values = np.column_stack([term.values for term in terms])
    weights = np.array([term.weight for term in terms])
    added = values * weights
    return (
        FeatureMatrix(
            (*matrix.names, *(term.name for term in terms)), np.hstack([matrix.values, values]), matrix.pulls
        ),
        Scored(
            scored.scores + added.sum(axis=1),
            np.hstack([scored.contributions, added]),
            np.concatenate([scored.weights, weights]),
        ),
    )


def _boosts(situation: Situation, rows: Int32s, scores: Float64s) -> Iterator[_Term]:
    for boost in situation.placement.boosts:
        passes = passing(boost.filter, situation)[rows].astype(np.float64)
        if boost.factor == 1.0:
            yield _Term(f"{BOOST}{boost.name}", passes, boost.add)
        else:
            yield _Term(f"{BOOST}{boost.name}", passes * (boost.add + (boost.factor - 1.0) * np.abs(scores)), 1.0)


def _rotation(situation: Situation, rows: Int32s, scores: Float64s) -> Iterator[_Term]:
    rotation = situation.placement.rotation
    if rotation is None or not len(rows):
        return
    shown = situation.reading.shown
    fresh = np.zeros(len(situation.eligible))
    for row, times_ms in shown.items():
        since = (situation.now_ms - times_ms[-1]) / (rotation.hours * HOUR_MS)
        fresh[row] = min(max(1.0 - since, 0.0), 1.0)
    yield _Term(ROTATION, fresh[rows], -rotation.rate * float(np.ptp(scores)))
