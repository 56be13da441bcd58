"""With which of its creatives an item is shown: its artwork or its wording.

Of an item with several creatives the first line `RULE show CREATIVE` decides whose rule holds and whose creative the
item has. Else

    first      the first creative
    affinity   the one whose attributes the person likes most: the sum of the shares that the values of its attributes
               have of their facets' affinities; of equals the first
    epsilon, linucb, thompson
               learned, for each item by itself, from what came of showing each (see `variants.bandits`, without
               features): drawn, with the exact propensity

A creative is drawn beside the slate: its propensity is conditional on its item standing there. Of people who refused
profiling nothing is read and nothing is tried on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from bespeak.decide.occasion import Occasion
from bespeak.decide.settings.parts import CreativeSettings
from bespeak.decide.settings.placements import Placement
from bespeak.decide.slates.exploration import generator_of
from bespeak.decide.trial import Policy
from bespeak.decide.variants.bandits import drawn_arm
from bespeak.decide.variants.creative_sums import CreativeSums
from bespeak.decide.variants.when import context_values, record_for
from bespeak.signals.decisions import Decision, ShownItem
from bespeak.signals.items import Creative

_ONE = np.ones(1)


def with_creatives(decision: Decision, occasion: Occasion, policy: Policy | None = None) -> Decision:
    """The decision, which is of items, with a creative at every position whose item has any.

    Args:
        decision: what was decided.
        occasion: for whom, with which snapshot, when.
        policy: what decided in place of the placement's own.
    """
    catalogue = occasion.world.catalogue
    places = [catalogue.index.get(shown.item_id, -1) for shown in decision.items]
    has_any = [place >= 0 and bool(catalogue.items[place].creatives) for place in places]
    if not any(has_any):
        return decision
    own = occasion.world.placement(decision.placement)
    settings = policy.settings if policy is not None and isinstance(policy.settings, Placement) else own
    chooser = _Chooser(decision, occasion, settings.creatives)
    items = tuple(
        chooser.shown(one, catalogue.items[place].creatives) if has else one
        for one, place, has in zip(decision.items, places, has_any, strict=True)
    )
    return msgspec.structs.replace(decision, items=items)


class _Chooser:
    """Chooses the creatives of one slate."""

    def __init__(self, decision: Decision, occasion: Occasion, settings: CreativeSettings) -> None:
        world = occasion.world
        self._settings = settings
        self._person = occasion.readable
        self._sums = world.creative_sums.get((decision.placement, settings.learning_digest()), CreativeSums())
        is_open = decision.mode in ("profiled", "anonymous")
        self._draws = bool(occasion.draw) and self._settings.learns and is_open
        self._generator = generator_of(world.seed, f"{decision.placement}/creatives", decision.decision_id)
        self._wanted = self._by_lines(occasion)

    def _by_lines(self, occasion: Occasion) -> list[str]:
        """The creatives of the lines whose rules hold, in their order."""
        world, now_ms = occasion.world, occasion.now_ms
        lines = [world.line(text) for text in self._settings.when]
        if not lines:
            return []
        segments = world.names.needed(line.rule for line in lines)
        record = record_for(self._person, segments, world.classes, world.purposes.all, now_ms)
        context = context_values(occasion.request.context)
        return [line.variant for line in lines if line.rule.test(record, now_ms, context)]

    def shown(self, item: ShownItem, creatives: Sequence[Creative]) -> ShownItem:
        """The item with the creative that it is shown with."""
        ids = [creative.id for creative in creatives]
        wanted = next((one for one in self._wanted if one in ids), None)
        place, propensity = (ids.index(wanted), 1.0) if wanted is not None else self._chosen(item.item_id, creatives)
        return msgspec.structs.replace(item, creative={"id": ids[place], "propensity": propensity})

    def _chosen(self, item_id: str, creatives: Sequence[Creative]) -> tuple[int, float]:
        settings = self._settings
        if len(creatives) == 1 or settings.choose == "first":
            return 0, 1.0
        if settings.choose == "affinity":
            return int(np.argmax([self._liked(creative.attributes) for creative in creatives])), 1.0
        ids = [creative.id for creative in creatives]
        largest = sum(abs(worth) for worth in settings.reward.values()) or 1.0
        posterior = self._sums.posterior(item_id, ids, largest)
        if not self._draws:
            return int(np.argmax(posterior.averages())), 1.0
        usual = posterior.usual(settings.choose, _ONE, settings.width, self._generator)
        return drawn_arm(usual, settings.explore, self._generator)

    def _liked(self, attributes: Mapping[str, Any]) -> float:
        """The sum of the shares that the values of a creative's attributes have of the person's affinities."""
        if self._person is None:
            return 0.0
        liked = 0.0
        for facet, value in attributes.items():
            strengths = self._person.affinities.get(facet, {})
            total = sum(strength for strength in strengths.values() if strength > 0)
            values = value if isinstance(value, list) else [value]
            if total > 0:
                liked += sum(strengths.get(str(one), 0.0) for one in values) / total
        return liked
