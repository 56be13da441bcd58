from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from bespeak.models.neighbours.meetings import Meetings


def likes(strength_of: object, seed: int = 5) -> csr_array:
    """Sixty people, twenty items, a third of the pairs."""
    rng = np.random.default_rng(seed)
    whole = random_array((60, 20), density=0.3, format="csr", dtype=np.float32, rng=rng)
    whole.data = np.asarray(strength_of(rng, whole.nnz), np.float32)
    return whole


CASES = {
    "all alike": lambda rng, n: np.ones(n),
    "logarithms of counts": lambda rng, n: np.log2(1 + rng.integers(1, 40, n)),
    "far from one": lambda rng, n: 1e-6 * rng.integers(1, 40, n),
    "some nothing": lambda rng, n: rng.integers(0, 3, n),
    "nothing at all": lambda rng, n: np.zeros(n),
    "products too small for float32": lambda rng, n: np.full(n, 1e-30),
    "too unequal for one number": lambda rng, n: 10.0 ** rng.integers(-6, 6, n),
}


@pytest.mark.parametrize("strength_of", CASES.values(), ids=CASES)
def test_products_and_people_are_those_of_two_products(strength_of: object) -> None:
    strengths = likes(strength_of)
    exact, there = strengths.toarray().astype(np.float64), strengths.toarray() > 0
    meetings = Meetings.of(strengths)
    for block in (slice(0, 20), slice(3, 11)):
        products, people = meetings.block(block)
        counts = csr_array((people, products.indices, products.indptr), products.shape).toarray()
        np.testing.assert_allclose(products.toarray(), (exact.T @ exact)[block], rtol=1e-6, atol=1e-45)
        np.testing.assert_array_equal(counts, (there.T.astype(int) @ there)[block])
        assert products.dtype == np.float32


def test_only_strengths_that_one_number_holds_share_a_product() -> None:
    needed = {name: Meetings.of(likes(strength_of)).unit for name, strength_of in CASES.items()}
    assert needed["all alike"] == 0
    assert needed["logarithms of counts"] is not None
    assert needed["too unequal for one number"] is None


def test_nobody_gives_nothing() -> None:
    products, people = Meetings.of(csr_array((0, 3), dtype=np.float32)).block(slice(0, 3))
    assert (products.nnz, len(people)) == (0, 0)
