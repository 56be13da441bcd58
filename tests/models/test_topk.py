import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from bespeak.models.topk import kept_entries, largest_per_row, top_k


@given(
    st.lists(st.lists(st.sampled_from([0.0, 1.0, 2.0, float("nan"), -3.0]), min_size=7, max_size=7), max_size=5),
    st.integers(0, 9),
)
def test_top_k_is_a_stable_sort_without_nan(rows: list[list[float]], k: int) -> None:
    index, score = top_k(np.array(rows, np.float32).reshape(len(rows), 7), k)
    for row, given_index, given_score in zip(rows, index.tolist(), score.tolist(), strict=True):
        expected = sorted((-value, item) for item, value in enumerate(row) if value == value)[:k]
        padding = k - len(expected)
        assert given_index == [item for _, item in expected] + [-1] * padding
        assert given_score == [-value for value, _ in expected] + [-np.inf] * padding


@pytest.mark.parametrize("sparse", [True, False])
def test_excluded_items_are_left_out_and_the_list_gets_shorter(sparse: bool) -> None:
    seen = np.array([[True, False, True], [False, False, False]])
    index, score = top_k([[3, 2, 1], [1, 2, 3]], 2, csr_array(seen.astype(np.float32)) if sparse else seen)
    assert index.tolist() == [[1, -1], [2, 1]]
    assert np.isneginf(score[0, 1])


def test_entries_stored_as_zero_are_excluded_too() -> None:
    touched = csr_array((np.zeros(1, np.float32), np.array([0]), np.array([0, 1])), shape=(1, 2))
    assert top_k([[5.0, 1.0]], 1, touched)[0].tolist() == [[1]]


def test_the_scores_given_stay_untouched() -> None:
    scores = np.array([[1.0, np.nan]], np.float32)
    scores.flags.writeable = False
    top_k(scores, 1, np.array([[True, False]]))
    assert np.isnan(scores[0, 1])


def test_only_positive_entries_of_a_sparse_row_are_kept_and_ties_go_left() -> None:
    matrix = csr_array(np.array([[0.0, 2.0, 2.0, 2.0], [-1.0, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0]], np.float32))
    kept = kept_entries(matrix, largest_per_row(matrix, 2))
    assert kept.toarray().tolist() == [[0, 2, 2, 0], [0, 0, 0, 0.5], [0, 0, 0, 0]]
