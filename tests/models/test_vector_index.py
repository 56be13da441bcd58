"""The index of item vectors: what it finds is among the best, exactly so where it looks into all cells."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.errors import MissingExtra
from bespeak.models.vector_index import VectorIndex

needs_faiss = pytest.mark.outside


def by_hand() -> VectorIndex:
    """Five items; item 4 is the longest, item 1 points east, items 0 and 3 north, item 2 has the zero vector."""
    return VectorIndex(
        items=np.array([4, 0, 3, 1], np.int32),
        starts=np.array([0, 1, 3, 4], np.int64),
        vectors=np.array([[3, 3], [0, 1], [0, 2], [1, 0]], np.float32),
        centres=np.array([[0, 1], [1, 0]], np.float32),
    )


def test_the_nearest_cell_and_the_longest_vectors_are_looked_at() -> None:
    items, products = by_hand().best(np.array([0, 1], np.float32), 10)
    assert items.tolist() == [4, 3, 0]  # one cell of two: item 1 is not looked at
    assert products.tolist() == [3.0, 2.0, 1.0]


def test_no_more_than_asked_for_and_the_lower_item_first_among_equals() -> None:
    index = by_hand()
    assert index.best(np.array([0, 1], np.float32), 1)[0].tolist() == [4]
    index.vectors[:] = 1
    assert index.best(np.array([0, 1], np.float32), 10)[0].tolist() == [0, 3, 4]


def test_an_index_comes_back_from_its_arrays() -> None:
    index = by_hand()
    again = VectorIndex.from_arrays(index.arrays())
    query = np.array([1, 0], np.float32)
    assert again.best(query, 3)[0].tolist() == index.best(query, 3)[0].tolist()


def test_without_the_extra_building_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VectorIndex, "can_build", staticmethod(lambda: False))
    with pytest.raises(MissingExtra, match=r"bespeak\[ann\]"):
        VectorIndex.build(np.ones((3, 2), np.float32))


def made_up(n: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    middles = rng.normal(size=(20, 16))
    vectors = middles[rng.integers(0, 20, n)] + rng.normal(size=(n, 16))
    return np.asarray(vectors * rng.pareto(2, size=(n, 1)), np.float32)


@needs_faiss
def test_every_item_but_the_zero_vectors_stands_in_one_cell() -> None:
    vectors = made_up(3_000)
    vectors[[5, 70]] = 0
    index = VectorIndex.build(vectors)
    assert sorted(index.items.tolist()) == [n for n in range(3_000) if n not in (5, 70)]
    assert np.array_equal(index.vectors, vectors[index.items])
    assert (index.starts[0], index.starts[-1]) == (0, 2_998)
    assert (np.diff(index.starts) >= 0).all()


@needs_faiss
def test_the_best_are_found_though_lengths_differ_widely() -> None:
    vectors = made_up(20_000)
    index = VectorIndex.build(vectors)
    people = vectors[np.random.default_rng(0).integers(0, 20_000, (50, 5))].sum(axis=1)
    found = [len(set(index.best(p, 20)[0].tolist()) & set(np.argsort(-(vectors @ p))[:20].tolist())) for p in people]
    assert np.mean(found) >= 19


@needs_faiss
def test_the_same_vectors_give_the_same_index() -> None:
    one, other = (VectorIndex.build(made_up(2_000)).arrays() for _ in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one)


@needs_faiss
@pytest.mark.parametrize("n", [0, 1, 2, 60])
def test_a_few_items_and_equal_items_make_an_index(n: int) -> None:
    index = VectorIndex.build(np.ones((n, 4), np.float32))
    items, _ = index.best(np.ones(4, np.float32), 100)
    assert 0 in items.tolist() if n else not len(items)
