"""Learned weights as they are stored: for each placement the version in use and those before it.

They are one setting of the project with a version counter of its own; running servers poll it like that of the models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.decide.rankers.forest import Forest
from bespeak.decide.rankers.score import Weights
from bespeak.decide.settings.placements import Placement
from bespeak.storage.base import Session, Transaction
from bespeak.storage.tables import records

WEIGHTS = "weights"
"""Name of the setting, and of the version counter that tells of a change."""

RATES = "click_rates"
"""Name of the setting that holds the click rates of items; it changes with the same counter."""

KEPT = 5
"""Versions kept of each placement."""


class StoredForest(msgspec.Struct, frozen=True, kw_only=True):
    """A `decide.rankers.forest.Forest` as plain lists."""

    names: tuple[str, ...]
    features: list[list[int]]
    thresholds: list[list[float]]
    leaves: list[list[float]]
    covers: list[list[float]]

    @classmethod
    def of(cls, forest: Forest) -> StoredForest:
        """Takes the arrays of a forest."""
        return cls(
            names=forest.names,
            features=forest.features.tolist(),
            thresholds=forest.thresholds.tolist(),
            leaves=forest.leaves.tolist(),
            covers=forest.covers.tolist(),
        )

    def forest(self) -> Forest:
        """The forest."""
        return Forest(
            names=self.names,
            features=np.array(self.features, np.int64),
            thresholds=np.array(self.thresholds, np.float64),
            leaves=np.array(self.leaves, np.float64),
            covers=np.array(self.covers, np.float64),
        )


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay of the decision log said of weights before they were taken over.

    Attributes:
        worth: signal class -> what it counted for, the largest as 1.
        window_ms: how long after it was shown an outcome counted.
        n_positions: of each slate so many counted; n_decisions: that were replayed.
        value, interval: what a decision brings under what was taken over, and its 95 % interval.
        difference, difference_interval: what one brings under weights fitted before it alone, less what it brings under
            the weights in use then: by this it was decided.
    """

    worth: dict[str, float]
    window_ms: int
    n_positions: int
    n_decisions: int
    value: float
    interval: tuple[float, float]
    difference: float
    difference_interval: tuple[float, float]


class StoredWeights(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a placement's learned weights.

    Attributes:
        table: signal -> weight.
        intercept, slope: chance of a reward = logistic(intercept + slope * score).
        forest: trees on top of the linear score, whose weight stands in `table` under `trees`.
        sentence: why it was taken over.
        until_ms: the latest decision that it was learned from; 0 where that was not kept.
        prediction: what a replay said of it; None where the log could not tell.
    """

    version: int
    created_ms: int
    table: dict[str, float]
    intercept: float
    slope: float
    forest: StoredForest | None = None
    sentence: str = ""
    until_ms: int = 0
    prediction: Prediction | None = None

    def weights(self) -> Weights:
        """The weights as decisions use them."""
        return Weights(
            learned=self.table,
            version=self.version,
            forest=None if self.forest is None else self.forest.forest(),
            intercept=self.intercept,
            slope=self.slope,
        )


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
        trees: how much likelier boosted trees on top made what people later chose, as `likelier`; None where none were
            grown.
        calibration: (mean chance, mean outcome) of later rows, those of equal chance together.
        examination: device (or "") -> how likely each position is looked at, the likeliest as 1.
        signals: signal -> its weight.
        prediction: what a replay of later decisions said; None where the log cannot tell.
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
    trees: tuple[float, float, float] | None = None
    auc: float = 0.5
    current_auc: float = 0.5
    calibration: list[tuple[float, float]] = []
    examination: dict[str, list[float]] = {}
    signals: dict[str, LearnedSignal] = {}
    prediction: Prediction | None = None
    sentences: list[str] = []


def stored_weights(session: Session) -> dict[str, list[StoredWeights]]:
    """Returns placement -> its versions, the one in use first."""
    raw = records.setting(session, WEIGHTS)
    return msgspec.json.decode(raw, type=dict[str, list[StoredWeights]]) if raw else {}


def stored_rates(session: Session) -> dict[str, dict[str, float]]:
    """Returns placement -> item id -> its click rate, -1..1, as `learn.click_rate` has it."""
    raw = records.setting(session, RATES)
    return msgspec.json.decode(raw, type=dict[str, dict[str, float]]) if raw else {}


def put_weights(tx: Transaction, learned: Mapping[str, StoredWeights], rates: Mapping[str, Mapping[str, float]]) -> int:
    """Makes weights and click rates the ones in use; returns the version that replaces the one given with the weights.

    Placements that are not named keep theirs.
    """
    if not learned and not rates:
        return records.version(tx, WEIGHTS)
    tx.lock_keys([f"setting:{WEIGHTS}"])
    held = stored_weights(tx)
    version = records.bump(tx, WEIGHTS)
    for placement, weights in learned.items():
        made = msgspec.structs.replace(weights, version=version)
        held[placement] = [made, *held.get(placement, [])][:KEPT]
    records.put_setting(tx, WEIGHTS, msgspec.json.encode(held))
    records.put_setting(tx, RATES, msgspec.json.encode({**stored_rates(tx), **rates}))
    return version


def rates_in_use(
    stored: Mapping[str, Mapping[str, float]], placements: Mapping[str, Placement], index: Mapping[str, int]
) -> dict[str, npt.NDArray[np.float64]]:
    """Returns placement -> float64[n], the click rate of each item of a catalogue; 0 for those without one."""
    found = {}
    for name, rates in stored.items():
        if name in placements and placements[name].learn:
            found[name] = np.zeros(len(index))
            known = [(index[item], rate) for item, rate in rates.items() if item in index]
            found[name][[place for place, _ in known]] = [rate for _, rate in known]
    return found


def weights_in_use(
    stored: Mapping[str, Sequence[StoredWeights]], placements: Mapping[str, Placement]
) -> dict[str, Weights]:
    """Returns placement -> learned weights, of the placements that let weights be learned."""
    return {
        name: versions[0].weights()
        for name, versions in stored.items()
        if versions and name in placements and placements[name].learn
    }


def weights_of_version(session: Session, placement: str, version: int) -> Weights | None:
    """Returns the weights that a decision was made with; None for the default ones and for those that are not kept."""
    found = (held for held in stored_weights(session).get(placement, []) if held.version == version)
    return next((held.weights() for held in found), None)
