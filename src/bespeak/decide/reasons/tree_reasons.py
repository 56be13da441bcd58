"""Reasons of a record that trees took part in: what the trees gave, told by signal.

At the time of a decision the trees are one term, `trees`, so that a page does not wait for what few people read. From
the record that term is taken apart: every signal of an item gets its linear term plus its Shapley value among the
trees. What signals gave that the item does not have stands in one last term, so the terms still add up to the score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from bespeak.decide.rankers.forest import TREES, Float64s, Forest
from bespeak.signals.decisions import Decision, Reason, ShownItem

REST = "what all items have, and what this one has not"


def told_by_signal(decision: Decision, forest: Forest, weights_of: Callable[[Sequence[str]], Float64s]) -> Decision:
    """Returns a record whose items tell by signal what the trees gave; items without that term stay as they are.

    Args:
        decision: the record, with the features of its items.
        forest: the trees that it was made with.
        weights_of: signals -> float64, their linear weights, that of `trees` included.
    """
    return msgspec.structs.replace(decision, items=tuple(_told(item, forest, weights_of) for item in decision.items))


def _told(item: ShownItem, forest: Forest, weights_of: Callable[[Sequence[str]], Float64s]) -> ShownItem:
    if TREES not in item.features:
        return item
    names = [name for name in item.features if name != TREES]
    values = np.array([item.features[name] for name in names])
    *weights, factor = weights_of([*names, TREES]).tolist()
    by_signal = dict(zip(forest.names, forest.contributions(forest.aligned(names, values[None])[0]), strict=True))
    said = {_name(reason): reason for reason in item.reasons}
    told = []
    for name, value, weight in zip(names, values.tolist(), weights, strict=True):
        known = said.get(name)
        linear = value * weight if known is None else known.contribution
        contribution = linear + factor * float(by_signal.get(name, 0.0))
        signal, text = (name, name) if known is None else (known.signal, known.text)
        told.append(
            Reason(signal=signal, value=value, weight=contribution / value, contribution=contribution, text=text)
        )
    told.sort(key=lambda reason: -abs(reason.contribution))
    rest = item.score - sum(reason.contribution for reason in told)
    last = Reason(signal=TREES, value=1.0, weight=rest, contribution=rest, text=REST)
    return msgspec.structs.replace(item, reasons=(*told, last))


def _name(reason: Reason) -> str:
    """The signal that a reason is of: `affinity.genre=war` is of `affinity.genre`; a cross keeps its values."""
    return reason.signal if reason.signal.startswith("cross.") else reason.signal.partition("=")[0]
