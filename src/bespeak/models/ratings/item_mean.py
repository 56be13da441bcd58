"""Item mean: what everybody gave an item, on average; the same for everyone. The baseline of rating prediction.

    value_i = (sum of ratings of i + prior * mean of all) / (n_i + prior)

An item without ratings gets the mean of all. Cost: one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from bespeak.models.interactions import ItemContent
from bespeak.models.ratings.base import Predictions, RatingModel, Ratings


@dataclass(frozen=True, eq=False)
class ItemMean(RatingModel):
    """The mean of each item.

    Args:
        prior: so many ratings at the mean of all are counted in.

    Example:
        >>> from bespeak.models.ratings.base import RatingScale
        >>> told = Ratings.of(["a", "b"], ["x", "y", "z"], [0, 1, 1], [0, 0, 1], [1, 2, 5], scale=RatingScale())
        >>> ItemMean(prior=0).fit(told).predict(told, [0, 0], [0, 1]).values.tolist()
        [1.5, 5.0]
    """

    name: ClassVar[str] = "item_mean"

    prior: float = 5.0

    def fit(self, ratings: Ratings, items: ItemContent | None = None) -> Self:
        """See `RatingModel.fit`; the content plays no part."""
        n_items = len(ratings.item_ids)
        mean = float(ratings.values.mean()) if len(ratings) else (ratings.scale.low + ratings.scale.high) / 2
        totals = np.bincount(ratings.item_index, ratings.values, minlength=n_items) + self.prior * mean
        counts = np.bincount(ratings.item_index, minlength=n_items) + self.prior
        means = np.append(np.divide(totals, counts, out=np.full(n_items, mean), where=counts > 0), mean)
        spread = float(np.sqrt(np.mean((ratings.values - means[ratings.item_index]) ** 2))) if len(ratings) else 0.0
        return self._fitted(ratings.item_ids, {"means": means, "spread": np.array([spread])})

    def predict(self, known: Ratings, user_index: npt.ArrayLike, item_index: npt.ArrayLike) -> Predictions:
        """See `RatingModel.predict`; who asks plays no part."""
        values = self._array("means")[np.asarray(item_index, np.int64)]  # the last entry, -1, is the mean of all
        return Predictions(known.scale.clipped(values), np.full(len(values), self._array("spread")[0]))
