"""Learned weights as they are stored: for each placement the version in use and those before it.

They are one setting of the project with a version counter of its own; running servers poll it like that of the models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bespeak.decide.placements import Placement
from bespeak.decide.score import Weights
from bespeak.storage import records
from bespeak.storage.base import Session, Transaction

WEIGHTS = "weights"
"""Name of the setting, and of the version counter that tells of a change."""

KEPT = 5
"""Versions kept of each placement."""


class StoredWeights(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a placement's learned weights.

    Attributes:
        table: signal -> weight.
        intercept, slope: chance of a reward = logistic(intercept + slope * score).
        sentence: why it was taken over.
    """

    version: int
    created_ms: int
    table: dict[str, float]
    intercept: float
    slope: float
    sentence: str = ""


class LearnedSignal(msgspec.Struct, frozen=True, kw_only=True):
    """One signal's weight.

    Attributes:
        usual: the default weight; learned: what the data make of it, with its standard error (0 where its sign holds
            it at 0).
    """

    usual: float
    learned: float
    standard_error: float


class WeightsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What training found about the weights of one placement.

    Attributes:
        placement: its name.
        is_learned: enough was shown; else the sentences say what is missing.
        is_in_use: they were taken over.
        n_shown, n_rewarded, n_decisions, n_people: what they were learned from; n_open: shown too lately to tell.
        likelier: how much likelier they make what people chose out of later slates than the weights in use do, as a
            share: (low, mean, high) of the 95 % interval over people.
        gain: by how much more the later slates would bring in their order, as a share, likewise.
        auc, current_auc: how well scores tell later outcomes.
        calibration: (mean chance, mean outcome) of later rows, those of equal chance together.
        examination: device (or "") -> how likely each position is looked at, the likeliest as 1.
        signals: signal -> its weight.
    """

    placement: str
    is_learned: bool = False
    is_in_use: bool = False
    n_shown: int = 0
    n_rewarded: int = 0
    n_decisions: int = 0
    n_people: int = 0
    n_open: int = 0
    likelier: tuple[float, float, float] | None = None
    gain: tuple[float, float, float] | None = None
    auc: float = 0.5
    current_auc: float = 0.5
    calibration: list[tuple[float, float]] = []
    examination: dict[str, list[float]] = {}
    signals: dict[str, LearnedSignal] = {}
    sentences: list[str] = []


def stored_weights(session: Session) -> dict[str, list[StoredWeights]]:
    """Returns placement -> its versions, the one in use first."""
    raw = records.setting(session, WEIGHTS)
    return msgspec.json.decode(raw, type=dict[str, list[StoredWeights]]) if raw else {}


def put_weights(tx: Transaction, learned: Mapping[str, StoredWeights]) -> int:
    """Makes weights the ones in use; returns their version, which replaces the one given."""
    if not learned:
        return records.versions(tx).get(WEIGHTS, 0)
    tx.lock_keys([f"setting:{WEIGHTS}"])
    held = stored_weights(tx)
    version = records.bump(tx, WEIGHTS)
    for placement, weights in learned.items():
        made = msgspec.structs.replace(weights, version=version)
        held[placement] = [made, *held.get(placement, [])][:KEPT]
    records.put_setting(tx, WEIGHTS, msgspec.json.encode(held))
    return version


def weights_in_use(
    stored: Mapping[str, Sequence[StoredWeights]], placements: Mapping[str, Placement]
) -> dict[str, Weights]:
    """Returns placement -> learned weights, of the placements that let weights be learned."""
    return {
        name: Weights(learned=versions[0].table, version=versions[0].version, intercept=versions[0].intercept,
                      slope=versions[0].slope)
        for name, versions in stored.items()
        if versions and name in placements and placements[name].learn
    }  # fmt: skip
