"""Which policy decides: a placement's own, an arm of an experiment, or the one before while a new one is rolled out.

A *policy* is a version of a placement's settings. An experiment's arms are policies side by side; a roll-out gives a
growing share of people the newest policy and leaves the others on the one before; a shadow decides beside and is never
shown. What a person gets is found by a hash, so every node says the same, and experiments keep it (see
`storage.tables.assignments`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bespeak.decide.settings.placements import Placement
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.measure.assignment import Experiment, bucket
from bespeak.rules import Rule
from bespeak.segments.definitions import Segment

INTERLEAVED = "interleaved"
"""The variant of everybody in an interleaving: they see both policies in one slate."""

INCUMBENT = "incumbent"
"""The policy of an arm whose slates another system shows."""


@dataclass(frozen=True, eq=False)
class Policy:
    """A version of a placement's settings.

    Attributes:
        name: `placement@version`, as records name it.
        settings: what it decides with.
    """

    name: str
    settings: Placement | VariantPlacement


@dataclass(frozen=True, eq=False)
class Trial:
    """One experiment on a placement.

    Attributes:
        name: as it stands in records and reports.
        placement: where it runs.
        kind: `ab` compares arms; `aa` does where nothing differs, to try the machinery; `interleave` mixes two arms in
            every slate.
        spread: how people are spread over the arms.
        arms: variant -> its policy, None where another system shows its own slate.
        condition: whom it takes, a rule over the profile and the circumstances, read when somebody is first assigned;
            None takes everybody.
        segments: those that the condition needs, in the order in which they are decided.
        start_ms, stop_ms: when it runs, closed-open; None is open.
    """

    name: str
    placement: str
    kind: Literal["ab", "aa", "interleave"]
    spread: Experiment
    arms: Mapping[str, Policy | None]
    condition: Rule | None = None
    segments: tuple[Segment, ...] = ()
    start_ms: int | None = None
    stop_ms: int | None = None

    def runs_at(self, now_ms: int) -> bool:
        """Whether people are under it at a time."""
        has_begun = self.start_ms is None or self.start_ms <= now_ms
        return has_begun and (self.stop_ms is None or now_ms < self.stop_ms)

    def has(self, variant: str) -> bool:
        """Whether there is such a variant: somebody's may have been taken out of the file since they were assigned."""
        return variant == INTERLEAVED if self.kind == "interleave" else variant in self.arms

    def variant_of(self, unit: str) -> str | None:
        """The variant of a unit (an id) that was never assigned, None for one that takes no part."""
        variant = self.spread.variant_of(unit)
        return INTERLEAVED if variant is not None and self.kind == "interleave" else variant


@dataclass(frozen=True, eq=False)
class Rollout:
    """A new policy that only a share of people get yet.

    Attributes:
        share: of people who get the newest.
        before: what the others get.
    """

    share: float
    before: Policy

    def holds_back(self, placement: str, ids: Sequence[str]) -> bool:
        """Whether somebody is left on the policy before; a growing share leaves those who have the newest with it."""
        return not ids or bucket(f"rollout:{placement}", ids[0]) >= self.share
