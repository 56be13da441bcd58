"""RP3beta: where three random steps from an item lead, less what leads everywhere.

Paudel, Christoffel, Newell, Bernstein, "Updatable, accurate, diverse, and scalable recommendations for interactive
applications", ACM TiiS 2017 (P3alpha: Cooper et al., WWW 2014):

    W_ij = sum over people u of (x_ui / d_i)^alpha (x_uj / d_u)^alpha / d_j^beta,   W_ii = 0,   scores = x W

Here the strengths x stay outside of the power (with likes of strength 1 that is the same), each row is cut to its
largest `neighbours`, and a dislike pushes down what it leads to (see `linear`).

Cost: sum over people of (items of that person)^2 operations; the result takes 8 bytes per kept neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from bespeak.models.interactions import Csr, Float32s, Int32s, Interactions, ItemContent
from bespeak.models.linear import LinearModel, dense, dense_product
from bespeak.models.packing import pack_csr, unpack_csr
from bespeak.models.propagation import three_steps
from bespeak.models.strength import Weighting, strengthened
from bespeak.models.topk import top_k


@dataclass(frozen=True, eq=False)
class Rp3Beta(LinearModel):
    """Random walks of three steps.

    Args:
        alpha: how much less a step tells where many lead away.
        beta: how much the popularity of the item arrived at is held against it.
        neighbours: links kept per item.
        weighting: how summed weights become strengths.

    Example:
        >>> data = Interactions.from_events(["a", "a", "b", "b", "c"], ["x", "y", "x", "y", "z"])
        >>> Rp3Beta().fit(data).recommend(["a"], 1, exclude_seen=False).items(0)
        ['x']
    """

    name: ClassVar[str] = "rp3beta"

    alpha: float = 0.7
    beta: float = 0.3
    neighbours: int = 200
    weighting: Weighting = "log"

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`."""
        links = three_steps(
            strengthened(interactions.matrix, self.weighting),
            person=self.alpha,
            known=self.alpha,
            scored=self.beta,
            neighbours=self.neighbours,
        )
        return self._fitted(interactions.item_ids, pack_csr("links", links), interactions)

    def similar(self, item_index: npt.ArrayLike, k: int) -> tuple[Int32s, Float32s]:
        """See `Model.similar`: the largest W_ij of each item i."""
        near = dense(self._walks[np.asarray(item_index, np.int64)])
        return top_k(np.where(near > 0, near, -np.inf), k)

    @cached_property
    def _walks(self) -> Csr:
        self._array("links_data")
        return unpack_csr("links", self._arrays)

    def _pull(self, strengths: Csr) -> Float32s:
        return dense_product(strengths, self._walks)

    def _push_down(self, strengths: Csr) -> Float32s:
        return dense_product(strengths, self._walks) + dense(strengths)

    def _links(self, items: Int32s, item: int) -> Float32s:
        return np.asarray(self._walks[items][:, [item]].toarray(), np.float32).reshape(-1)
