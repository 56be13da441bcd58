"""Bought together: items bought by the same people.

What goes with a phone is its case, and what people view beside a phone is another phone. So this is `item_neighbours`
fitted on purchases alone: W_ij = x_i . x_j / (|x_i| |x_j| + shrinkage) over the people who bought both, each row cut to
its largest `neighbours`, and no pair shown with fewer than `min_people` people behind it.

It is no source of what a person likes: only its table of neighbours is used, for what goes with a cart.

Cost: that of `item_neighbours` on the purchases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bespeak.models.interactions import Interactions
from bespeak.models.neighbours.item_neighbours import ItemNeighbours

PURCHASE = "purchase"
MIN_PURCHASES = 100


@dataclass(frozen=True, eq=False)
class BoughtTogether(ItemNeighbours):
    """Cosine neighbourhoods of purchases; settings as `ItemNeighbours`."""

    name: ClassVar[str] = "bought_together"


def bought_together(log: Interactions) -> BoughtTogether | None:
    """Fitted on the purchases of a log; None where there are few of them, or where it holds nothing else.

    Example:
        >>> bought_together(Interactions.from_events(["a"], ["x"])) is None
        True
    """
    if log.class_index is None or PURCHASE not in log.class_names:
        return None
    is_bought = log.class_index == log.class_names.index(PURCHASE)
    n_bought = int(np.count_nonzero(is_bought))
    return BoughtTogether().fit(log.select(is_bought)) if MIN_PURCHASES <= n_bought < len(log) else None
