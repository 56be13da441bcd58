"""A decision at any placement: a slate of items, or one of declared variants."""

from __future__ import annotations

import msgspec

from bespeak.decide.choosing.actions import decide_action
from bespeak.decide.choosing.choose import decide_variant, default_variant
from bespeak.decide.choosing.creatives import with_creatives
from bespeak.decide.decide import fallback
from bespeak.decide.occasion import Occasion
from bespeak.decide.trying.by_policy import decide_by_policy, deciding, shadowed
from bespeak.signals.decisions import Decision


def answer(occasion: Occasion) -> Decision:
    """Makes one decision; result and errors as `decide` and `decide_variant`."""
    if occasion.request.placement in occasion.world.variants:
        return shadowed(decide_variant(occasion, deciding(occasion)), occasion, decide_variant)
    if _has_actions(occasion):
        return shadowed(decide_action(occasion, deciding(occasion)), occasion, decide_action)
    return with_creatives(decide_by_policy(occasion), occasion, deciding(occasion))


def answer_without(occasion: Occasion, note: str = "") -> Decision:
    """Makes the decision that needs no store: what is popular, or the default variant; errors as `answer`.

    Args:
        occasion: of nobody.
        note: why, for the record.
    """
    if occasion.request.placement in occasion.world.variants:
        return default_variant(occasion, note)
    if _has_actions(occasion):
        made = decide_action(occasion, mode="fallback")
        return msgspec.structs.replace(made, notes=(*made.notes, note)) if note else made
    return with_creatives(fallback(occasion, note), occasion)


def _has_actions(occasion: Occasion) -> bool:
    placement = occasion.world.placements.get(occasion.request.placement)
    return placement is not None and placement.actions is not None
