"""What lists are like, by hand on tiny cases, and what holds for any list."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from bespeak.learn.evaluation.list_figures import (
    ItemFacts,
    diversity,
    gini,
    list_figures,
    lorenz,
    members,
    miscalibration,
)
from bespeak.models import Interactions, ItemContent

CONTENT = ItemContent(
    ("a", "b", "c", "d", "e"),
    attributes={"genre": [["drama"], ["drama", "noir"], ["noir"], ["noir"], []]},
)
LOG = Interactions.from_events(
    ["u1", "u2", "u3", "u4", "u1", "u2", "u1"], ["a", "a", "a", "a", "b", "b", "c"], item_ids=list("abcde")
)


@pytest.fixture
def facts() -> ItemFacts:
    return ItemFacts.of(LOG, CONTENT)


def lists(*rows: list[int]) -> csr_array:
    width = max(map(len, rows))
    return members(np.array([row + [-1] * (width - len(row)) for row in rows], np.int32), 5)


def liked(*rows: list[int]) -> csr_array:
    table = np.zeros((len(rows), 5), np.float32)
    for place, row in enumerate(rows):
        table[place, row] = 1
    return csr_array(table)


def test_percentiles_count_equals_half_and_the_head_is_a_fifth_of_what_anybody_had(facts):
    assert facts.known_by.tolist() == [4, 2, 1, 0, 0]
    assert facts.percentile.tolist() == pytest.approx([0.9, 0.7, 0.5, 0.2, 0.2])
    assert facts.is_head.tolist() == [True, False, False, False, False]


def test_popularity_figures_by_hand(facts):
    found = list_figures(lists([0, 1], [3], []), facts, liked([2], [0], [0]))
    assert found.popularity[:2].tolist() == pytest.approx([0.8, 0.2])
    assert found.head_share[:2].tolist() == [0.5, 0.0]
    # known to all four: 0 bits; to two: 1 bit; to nobody: as to half a person, 3 bits
    assert found.novelty[:2].tolist() == pytest.approx([0.5, 3.0])
    assert all(np.isnan(column[2]) for column in (found.popularity, found.head_share, found.novelty, found.diversity))
    assert found.coverage == pytest.approx(3 / 5)


def test_diversity_is_the_mean_distance_of_pairs():
    """Items at right angles, alike, and 60 degrees apart; an item without content forms no pair."""
    vectors = csr_array(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.5, np.sqrt(0.75)], [0.0, 0.0]]))
    found = diversity(lists([0, 1], [0, 2], [0, 3], [0, 1, 2], [0, 4]), vectors)
    assert found[:4].tolist() == pytest.approx([1, 0, 0.5, 2 / 3])
    assert np.isnan(found[4])


def test_diversity_equals_the_sum_over_pairs_written_out(facts):
    rows = [[0, 1, 2, 3], [1, 3, 2], [0, 4, 1]]
    dense = facts.vectors.toarray()
    wanted = []
    for row in rows:
        known = [item for item in row if dense[item].any()]
        pairs = [(i, j) for place, i in enumerate(known) for j in known[place + 1 :]]
        wanted.append(np.mean([1 - dense[i] @ dense[j] for i, j in pairs]))
    assert diversity(lists(*rows), facts.vectors).tolist() == pytest.approx(wanted, abs=1e-6)


def test_miscalibration_by_hand(facts):
    """History half drama, half noir; a list of drama alone; Steck's smoothing of 0.01."""
    spread = facts.facets["genre"]
    assert spread.toarray().tolist() == [[1, 0], [0.5, 0.5], [0, 1], [0, 1], [0, 0]]
    found = miscalibration(lists([0], [0, 2], [2], [0], [4]), liked([0, 2], [0, 2], [2], [], [0]), spread)
    wanted = 0.5 * np.log(0.5 / (0.99 * 1 + 0.01 * 0.5)) + 0.5 * np.log(0.5 / (0.01 * 0.5))
    assert found[:3].tolist() == pytest.approx([wanted, 0, 0], abs=1e-12)
    assert np.isnan(found[3:]).all(), "nothing liked, or nothing known of the list"


def test_what_a_person_disliked_is_not_what_they_want(facts):
    history = csr_array(np.array([[1.0, 0.0, -1.0, 0.0, 0.0]], np.float32))
    assert miscalibration(lists([0]), history, facts.facets["genre"]).tolist() == [0.0]


def test_without_content_diversity_and_miscalibration_are_unknown():
    found = list_figures(lists([0, 1]), ItemFacts.of(LOG, None), liked([0]))
    assert np.isnan(found.diversity).all()
    assert np.isnan(found.miscalibration).all()
    assert found.by_facet == {}


def test_gini_by_hand():
    assert gini(np.array([2.0, 2.0, 2.0])) == 0
    assert gini(np.array([0.0, 0.0, 5.0])) == pytest.approx(2 / 3)
    assert gini(np.array([1.0, 3.0])) == pytest.approx(0.25)
    assert gini(np.zeros(3)) == 0


def test_the_lorenz_curve_is_even_for_even_counts_and_ends_at_one():
    assert lorenz(np.full(7, 3.0)) == pytest.approx(np.linspace(0, 1, 41))
    assert lorenz(np.zeros(3)) == ()
    assert lorenz(np.array([0.0, 0.0, 0.0, 1.0]))[-1] == pytest.approx(1)
    assert lorenz(np.array([0.0, 0.0, 0.0, 1.0]))[30] == pytest.approx(0)


ROWS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True), min_size=1, max_size=6)


@given(rows=ROWS, seed=st.integers(0, 99))
def test_every_figure_has_its_bounds_and_ignores_the_order_of_a_list(rows, seed):
    facts = ItemFacts.of(LOG, CONTENT)
    history = liked(*[[0, 2]] * len(rows))
    rng = np.random.default_rng(seed)
    found = list_figures(lists(*rows), facts, history)
    mixed = list_figures(lists(*[rng.permutation(row).tolist() for row in rows]), facts, history)
    for name in ("novelty", "diversity", "popularity", "head_share", "miscalibration"):
        column = getattr(found, name)
        np.testing.assert_allclose(column, getattr(mixed, name), atol=1e-12)
        assert not (column < 0).any()
    for name in ("diversity", "popularity", "head_share"):
        assert not (getattr(found, name) > 1).any()
    assert found.novelty.max() <= np.log2(4 / 0.5)
    assert not (found.miscalibration > np.log(1 / 0.01)).any()
    assert 0 < found.coverage <= 1
    assert 0 <= found.gini < 1


@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=30), factor=st.integers(1, 5), seed=st.integers(0, 9))
def test_gini_knows_neither_order_nor_size(counts, factor, seed):
    given_counts = np.array(counts, np.float64)
    mixed = np.random.default_rng(seed).permutation(given_counts) * factor
    assert gini(mixed) == pytest.approx(gini(given_counts), abs=1e-12)
    assert 0 <= gini(given_counts) < 1
