import numpy as np
import pytest

from bespeak.models import Interactions
from bespeak.models.item_weights import propagation
from bespeak.models.item_weights.propagation import item_blocks, three_steps


def test_blocks_cover_every_item_once() -> None:
    data = Interactions.from_events(list("aabbbc"), list("xyxyzx"))
    assert [(block.start, block.stop) for block in item_blocks(data.matrix, most_pairs=1)] == [(0, 1), (1, 2), (2, 3)]


def test_links_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    users, items = rng.integers(40, size=300), rng.integers(15, size=300)
    data = Interactions.from_arrays([str(u) for u in range(40)], [str(i) for i in range(15)], users, items)

    def links() -> np.ndarray:
        return three_steps(data.matrix, person=0.7, known=0.5, scored=0.3, neighbours=5).toarray()

    whole = links()
    monkeypatch.setattr(propagation, "_BLOCK_PAIRS", 20)
    np.testing.assert_allclose(links(), whole, rtol=1e-6)
