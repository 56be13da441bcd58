"""What is learned of a placement, and how decisions become sums.

A lesson reads its rows out of decisions with outcomes and adds them up. Its sums add, so folding what is new and making
all anew from the log give the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from bespeak.decide.settings.parts import ActionSettings
from bespeak.decide.settings.placements import Placement
from bespeak.decide.variants.bandits import ArmSums
from bespeak.decide.variants.caused import rows_of
from bespeak.decide.variants.context import vector_of
from bespeak.decide.variants.creative_sums import CreativeSums
from bespeak.decide.variants.settings import VariantPlacement, VariantSettings
from bespeak.decide.world import World
from bespeak.engine.learning.outcomes import Joined
from bespeak.engine.learning.shares import Shares
from bespeak.engine.learning.state import Heard
from bespeak.signals.decisions import Decision
from bespeak.storage.tables.log import DAY_MS

Float64s = npt.NDArray[np.float64]
PREFIX = "learned:"
"""How the names of rows begin that keep sums."""

S = TypeVar("S", ArmSums, CreativeSums)


class Lesson(ABC, Generic[S]):
    """What is learned of one placement.

    Attributes:
        placement: its name.
        key: name of the row that keeps the sums.
        digest: of what decides how rows are made.
        window_ms: an outcome counts so long after its decision.
        half_life_ms: what is so old counts half; None where nothing fades.
        shares: how much a decision counts while its window is open.
        named: what counts of events that name a decision, by class or name; done: of everything the person does.
    """

    def __init__(
        self,
        placement: str,
        kind: str,
        digest: str,
        window_minutes: float,
        half_life_days: float | None,
        named: Collection[str] = (),
        done: Collection[str] = (),
    ) -> None:
        self.placement = placement
        self.key = f"{PREFIX}{kind}:{placement}:{digest}"
        self.digest = digest
        self.window_ms = round(window_minutes * 60_000)
        self.half_life_ms = half_life_days * DAY_MS if half_life_days else None
        self.shares = Shares(self.window_ms)
        self.named, self.done = frozenset(named), frozenset(done)

    def fades(self, ages_ms: Float64s) -> Float64s:
        """float64[n]: what is left of decisions of these ages."""
        exponents = np.zeros(len(ages_ms)) if self.half_life_ms is None else ages_ms / self.half_life_ms
        return np.asarray(0.5**exponents, np.float64)

    def heard(self, row: Joined | None) -> Heard:
        """What of a row's outcomes this lesson asks for; of none that the decision does not count."""
        if row is None:
            return Heard(is_in=False)
        named = tuple(sorted(told for told in row.named if told[0] in self.named))
        return Heard(is_in=True, named=named, done=tuple(sorted(row.done & self.done)))

    @abstractmethod
    def is_row(self, decision: Decision) -> bool:
        """Whether anything of this decision was drawn, so that it can be learned from."""

    @abstractmethod
    def read(self, raw: bytes | None) -> S:
        """The sums that were stored; none where nothing is."""

    @abstractmethod
    def packed(self, sums: S) -> bytes:
        """The sums as they are stored."""

    @abstractmethod
    def sums(self, rows: Sequence[Joined], weights: Float64s, shares: Float64s) -> S:
        """The sums of rows.

        Args:
            rows: decisions with what came of them.
            weights: float64[rows]: of each row.
            shares: float64[rows]: how much of each row's decision counts yet; its rewards count in full.
        """


class VariantLesson(Lesson[ArmSums]):
    """Which variant earns most in which circumstances."""

    def __init__(self, placement: VariantPlacement) -> None:
        settings = placement.settings
        digest = placement.learning_digest
        super().__init__(placement.name, "variants", digest, settings.window_minutes, settings.half_life_days,
                         settings.reward, settings.conversion)  # fmt: skip
        self._settings = settings
        self.posterior = placement.posterior
        self._arm_of = {variant: arm for arm, variant in enumerate(placement.arms)}

    def is_row(self, decision: Decision) -> bool:
        """Variants that were drawn, of those that are still declared."""
        if decision.kind != "variant":
            return False
        shown = decision.items[0]
        return shown.sources == ("learned",) and shown.propensity < 1 and shown.item_id in self._arm_of

    def read(self, raw: bytes | None) -> ArmSums:
        """As `packed` wrote them."""
        n, d = len(self._arm_of), self._settings.dimension
        if raw is None:
            return ArmSums.empty(n, d)
        flat = np.frombuffer(raw, "<f8")
        moments, rewards, squares = np.split(flat, [n * d * d, n * d * d + n * d])
        return ArmSums(moments.reshape(n, d, d), rewards.reshape(n, d), squares)

    def packed(self, sums: ArmSums) -> bytes:
        """The numbers in a row: moments, rewards, squares; float64, little-endian."""
        parts = (sums.moments, sums.rewards, sums.squares)
        return np.concatenate([part.ravel() for part in parts]).astype("<f8").tobytes()

    def sums(self, rows: Sequence[Joined], weights: Float64s, shares: Float64s) -> ArmSums:
        """One row for each decision: its features, its variant, and what its outcomes are worth together."""
        shown = [row.decision.items[0] for row in rows]
        return ArmSums.of(
            np.array([vector_of(one.features, self._settings.dimension) for one in shown]),
            np.array([self._arm_of[one.item_id] for one in shown], np.int64),
            np.array([worth_of(self._settings, row) for row in rows], np.float64),
            n_arms=len(self._arm_of),
            weights=weights,
            shares=shares,
        )


def worth_of(settings: VariantSettings, row: Joined) -> float:
    """What came of a decision is worth at a placement with variants."""
    named = {name for name, _ in row.named}
    worth = sum(value for name, value in settings.reward.items() if name in named)
    return worth + sum(value for name, value in settings.conversion.items() if name in row.done)


class _SparseLesson(Lesson[CreativeSums]):
    """What is kept for the things that were shown alone."""

    def read(self, raw: bytes | None) -> CreativeSums:
        """As `packed` wrote them."""
        return CreativeSums.read(raw)

    def packed(self, sums: CreativeSums) -> bytes:
        """As `CreativeSums` packs them."""
        return sums.packed()


class CreativeLesson(_SparseLesson):
    """Which creative of each item earns most."""

    def __init__(self, placement: Placement) -> None:
        settings = placement.creatives
        digest = settings.learning_digest()
        super().__init__(placement.name, "creatives", digest, settings.window_minutes, settings.half_life_days,
                         settings.reward)  # fmt: skip
        self._reward = settings.reward

    def is_row(self, decision: Decision) -> bool:
        """Slates with a creative that was drawn."""
        return any(shown.creative and shown.creative["propensity"] < 1 for shown in decision.items)

    def sums(self, rows: Sequence[Joined], weights: Float64s, shares: Float64s) -> CreativeSums:
        """One row for each creative that was drawn: what events about its item are worth that name the decision."""
        found, counted = [], []
        for row, weight, share in zip(rows, weights.tolist(), shares.tolist(), strict=True):
            for shown in row.decision.items:
                if shown.creative and shown.creative["propensity"] < 1:
                    worth = sum(v for name, v in self._reward.items() if (name, shown.item_id) in row.named)
                    found.append((shown.item_id, shown.creative["id"], weight, worth))
                    counted.append(share)
        return CreativeSums.of(found, counted)


class ActionLesson(_SparseLesson):
    """How often each action succeeds; an action is kept as the creative "" of its item."""

    def __init__(self, placement: str, settings: ActionSettings) -> None:
        digest = settings.learning_digest()
        super().__init__(placement, "actions", digest, settings.window_minutes, settings.half_life_days,
                         done=settings.success)  # fmt: skip
        self._is_causal = settings.uplift == "learned"

    def is_row(self, decision: Decision) -> bool:
        """Actions that were done, or withheld, at random, not previewed."""
        return decision.withheld_propensity > 0 or any(shown.sources == ("action",) for shown in decision.items)

    def sums(self, rows: Sequence[Joined], weights: Float64s, shares: Float64s) -> CreativeSums:
        """One row for each action, 1 for a success, else 0; and what the decision says of what actions cause."""
        found, counted = [], []
        for row, weight, share in zip(rows, weights.tolist(), shares.tolist(), strict=True):
            reward = float(not self.done.isdisjoint(row.done))
            of_row = [(shown.item_id, "", weight, reward) for shown in row.decision.items]
            if self._is_causal:
                of_row += rows_of(row.decision, reward, weight)
            found += of_row
            counted += [share] * len(of_row)
        return CreativeSums.of(found, counted)


AnyLesson = VariantLesson | CreativeLesson | ActionLesson


def lessons_of(world: World) -> list[AnyLesson]:
    """Returns everything that is learned: for every policy that decides anywhere, once where several learn alike."""
    found: dict[str, AnyLesson] = {}
    for settings in _deciding(world):
        for lesson in _lessons(settings):
            found.setdefault(lesson.key, lesson)
    return list(found.values())


def _deciding(world: World) -> Iterator[Placement | VariantPlacement]:
    """The settings of placements, of what they are rolled out from, of arms and of shadows."""
    yield from world.variants.values()
    yield from world.placements.values()
    yield from (rollout.before.settings for rollout in world.rollouts.values())
    yield from (shadow.settings for shadow in world.shadows.values())
    for trials in world.trials.values():
        for trial in trials:
            yield from (policy.settings for policy in trial.arms.values() if policy is not None)


def _lessons(settings: Placement | VariantPlacement) -> Iterator[AnyLesson]:
    if isinstance(settings, VariantPlacement):
        if settings.settings.learn:
            yield VariantLesson(settings)
        return
    if settings.creatives.learns:
        yield CreativeLesson(settings)
    if settings.actions:
        yield ActionLesson(settings.name, settings.actions)
