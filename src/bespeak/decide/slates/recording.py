"""What of a decision that explores is kept beside its slate: all candidates with their features, of a random share.

They are what another policy is replayed on (`rewalk`). 500 candidates with 30 features take 150 kB, which is why it is
a share; and only where the person may be measured, because nothing else may be done with it.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.decide.rankers.score import Scored
from bespeak.decide.scoring.features import FeatureMatrix
from bespeak.decide.situation import Situation
from bespeak.decide.slates.exploration import numbers_of
from bespeak.signals.decisions import CandidateFeatures, Decision

Int32s: TypeAlias = npt.NDArray[np.int32]

RECORDED_SHARE = 0.1
"""What `record_features` is where a placement that explores does not say."""


def with_candidates(
    decision: Decision, situation: Situation, rows: Int32s, matrix: FeatureMatrix, scored: Scored
) -> Decision:
    """Returns the record with its candidates, or without them where they are not drawn to be kept.

    Args:
        decision: whose positions were drawn.
        situation: that it was made in.
        rows: int32[c], the candidates; matrix, scored: what they were scored by.
    """
    world, wanted = situation.world, situation.placement.record_features
    rate = RECORDED_SHARE if wanted is None else wanted
    if not rate or not decision.purposes & world.purposes.measure:
        return decision
    kept = None
    if numbers_of(world.seed, f"{decision.placement} candidates", decision.decision_id, 1)[0] < rate:
        ids = world.catalogue.item_ids
        kept = CandidateFeatures(
            item_ids=tuple(ids[row] for row in rows.tolist()),
            scores=tuple(scored.scores.tolist()),
            columns={name: tuple(column) for name, column in zip(matrix.names, matrix.values.T.tolist(), strict=True)},
        )
    return msgspec.structs.replace(decision, candidate_features=kept, candidate_features_rate=rate)
