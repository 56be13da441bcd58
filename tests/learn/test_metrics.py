import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from bespeak.learn.metrics import coverage, novelty, ranking_figures


def truth(*rows: list[int]) -> csr_array:
    wanted = np.zeros((len(rows), 8), np.float32)
    for row, items in enumerate(rows):
        wanted[row, items] = 1
    return csr_array(wanted)


def log2(value: float) -> float:
    return float(np.log2(value))


def test_figures_by_hand() -> None:
    """Three right answers, hits at ranks 1 and 3 of 4: the ideal list has hits at 1, 2, 3."""
    figures = ranking_figures(np.array([[5, 0, 6, 1]]), truth([5, 6, 7]))
    assert figures.recall[0] == pytest.approx(2 / 3)
    assert figures.ndcg[0] == pytest.approx((1 + 1 / log2(4)) / (1 + 1 / log2(3) + 1 / log2(4)))
    assert figures.hit[0] == 1
    assert figures.mrr[0] == 1
    assert figures.map[0] == pytest.approx((1 + 2 / 3) / 3)


def test_the_ideal_is_cut_at_k() -> None:
    figures = ranking_figures(np.array([[5, 0]]), truth([5, 6, 7]))
    assert figures.ndcg[0] == pytest.approx(1 / (1 + 1 / log2(3)))
    assert figures.map[0] == pytest.approx(1 / 2)
    assert figures.recall[0] == pytest.approx(1 / 3)


def test_no_hit_and_no_list_count_as_zero() -> None:
    figures = ranking_figures(np.array([[0, 1], [-1, -1], [3, 2]]), truth([5], [0], [2]))
    for name in ("recall", "ndcg", "hit", "mrr", "map"):
        assert getattr(figures, name)[:2].tolist() == [0, 0]
    assert figures.mrr[2] == 0.5
    assert figures.ndcg[2] == pytest.approx(1 / log2(3))


def test_a_perfect_list_is_one_everywhere() -> None:
    figures = ranking_figures(np.array([[7, 2, 4]]), truth([2, 4, 7]))
    for name in ("recall", "ndcg", "hit", "mrr", "map"):
        assert getattr(figures, name)[0] == pytest.approx(1)


def test_coverage_counts_items_shown_to_anybody() -> None:
    assert coverage(np.array([[0, 1], [1, -1]]), 8) == pytest.approx(2 / 8)
    assert coverage(np.zeros((0, 2), np.int32), 0) == 0


def test_novelty_is_the_mean_surprise_in_bits() -> None:
    """Known to all: 0 bits; to a quarter: 2 bits; to nobody: as to half a person of four, 3 bits."""
    assert novelty(np.array([[0, 1, 2]]), np.array([4.0, 1.0, 0.0]), 4) == pytest.approx(5 / 3)


NAMES = ("recall", "ndcg", "hit", "mrr", "map")


@st.composite
def asked(draw):
    """Lists of up to 5 of 8 items for a few people, with at least one right answer each."""
    n = draw(st.integers(1, 5))
    lists = [draw(st.lists(st.integers(0, 7), max_size=5, unique=True)) for _ in range(n)]
    right = [draw(st.lists(st.integers(0, 7), min_size=1, max_size=8, unique=True)) for _ in range(n)]
    index = np.array([row + [-1] * (5 - len(row)) for row in lists], np.int32)
    return index, right


@given(case=asked())
def test_every_figure_lies_between_none_and_all(case) -> None:
    index, right = case
    figures = ranking_figures(index, truth(*right))
    for name in NAMES:
        column = getattr(figures, name)
        assert ((column >= 0) & (column <= 1 + 1e-12)).all(), name
    assert ((figures.hit == 0) == (figures.ndcg == 0)).all()
    assert (figures.mrr <= figures.hit).all()


@given(case=asked(), seed=st.integers(0, 99))
def test_neither_names_of_items_nor_the_order_of_people_matter(case, seed) -> None:
    index, right = case
    rng = np.random.default_rng(seed)
    item, person = rng.permutation(8), rng.permutation(len(right))
    renamed = np.where(index >= 0, item[index], -1).astype(np.int32)[person]
    before = ranking_figures(index, truth(*right))
    after = ranking_figures(renamed, truth(*[item[right[p]].tolist() for p in person]))
    for name in NAMES:
        np.testing.assert_allclose(getattr(after, name), getattr(before, name)[person])


@given(case=asked(), place=st.integers(1, 4))
def test_a_hit_that_moves_up_lowers_nothing(case, place) -> None:
    index, right = case
    wanted = truth(*right)
    is_right = np.where(index >= 0, np.take_along_axis(wanted.toarray(), np.maximum(index, 0), axis=1), 0)
    swapped = index.copy()
    rows = np.flatnonzero((is_right[:, place] == 1) & (is_right[:, place - 1] == 0) & (index[:, place - 1] >= 0))
    swapped[rows, place - 1], swapped[rows, place] = index[rows, place], index[rows, place - 1]
    before, after = ranking_figures(index, wanted), ranking_figures(swapped, wanted)
    for name in NAMES:
        assert (getattr(after, name) >= getattr(before, name) - 1e-12).all(), name
    assert (after.ndcg[rows] > before.ndcg[rows]).all()
