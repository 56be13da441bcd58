"""What the outcomes of placements with variants say, as the store keeps it: one row of settings for each placement.

A row holds additive sums (see `decide.variants.bandits`), the moment up to which decisions are in them, and a hash of
what decides how rows are made: sums under another hash say nothing any more. Whoever writes takes the lock of the row
and writes only over what it had read, so that no node loses what another one folded.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.decide.variants.bandits import ArmSums, Posterior
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.storage import records
from bespeak.storage.base import Session, Transaction

LEARNED = "bandits"
"""Name of the version counter that tells of a change."""

_FORMAT = 1


class LearnedState(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one placement.

    Attributes:
        format: of this row.
        digest: of what decides how rows are made.
        folded_ms: decisions up to this moment are in the sums; their weights are those of this moment.
        n_decisions: how many they are, none faded.
        refitted_ms: when the sums were last made anew from the log; 0 asks for it.
        moments, rewards, squares: float64, little-endian, as `ArmSums` has them.
    """

    digest: str
    folded_ms: int
    n_decisions: int
    refitted_ms: int
    moments: bytes
    rewards: bytes
    squares: bytes
    format: int = _FORMAT

    def sums(self, n_arms: int, dimension: int) -> ArmSums:
        """The sums as arrays."""
        moments, rewards, squares = (np.frombuffer(raw, "<f8") for raw in (self.moments, self.rewards, self.squares))
        return ArmSums(moments.reshape(n_arms, dimension, dimension), rewards.reshape(n_arms, dimension), squares)


def packed(array: npt.NDArray[np.float64]) -> bytes:
    """Returns an array as a row holds it."""
    return array.astype("<f8").tobytes()


def read_state(session: Session, placement: VariantPlacement) -> LearnedState | None:
    """Returns what is stored of a placement, None where nothing is that its settings can use."""
    raw = records.setting(session, _key(placement.name))
    state = None if raw is None else msgspec.msgpack.decode(raw, type=LearnedState)
    usable = state is not None and state.format == _FORMAT and state.digest == placement.learning_digest()
    return state if usable else None


def put_state(tx: Transaction, placement: VariantPlacement, before: LearnedState | None, state: LearnedState) -> bool:
    """Stores the sums in place of those that were read; False, and nothing is written, where others stand there."""
    tx.lock_keys([f"setting:{_key(placement.name)}"])
    if read_state(tx, placement) != before:
        return False
    records.put_setting(tx, _key(placement.name), msgspec.msgpack.encode(state))
    records.bump(tx, LEARNED)
    return True


def ask_for_refit(tx: Transaction, placement: VariantPlacement) -> bool:
    """Marks the sums of a placement to be made anew from the log; False where there are none."""
    tx.lock_keys([f"setting:{_key(placement.name)}"])
    state = read_state(tx, placement)
    if state is None:
        return False
    asked = msgspec.structs.replace(state, refitted_ms=0)
    records.put_setting(tx, _key(placement.name), msgspec.msgpack.encode(asked))
    return True


def posteriors(session: Session, placements: Iterable[VariantPlacement]) -> dict[str, Posterior]:
    """Returns placement -> what its outcomes say, of those that learn and have any."""
    found = {}
    for placement in placements:
        state = read_state(session, placement) if placement.settings.learn is not None else None
        if state is not None:
            sums = state.sums(len(placement.arms), placement.settings.dimension)
            found[placement.name] = placement.posterior(sums)
    return found


def _key(placement: str) -> str:
    return f"learned:{placement}"
