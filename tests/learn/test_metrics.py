import numpy as np
import pytest
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
