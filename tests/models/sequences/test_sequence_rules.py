import numpy as np
import pytest

from bespeak.models import History, Interactions, SequenceRules


def rules() -> SequenceRules:
    data = Interactions.from_events(["a", "a", "a", "b", "b"], ["x", "y", "z", "x", "z"], times_ms=[1, 2, 3, 1, 2])
    return SequenceRules(norm=0.5).fit(data)


def test_rules_by_hand() -> None:
    """x is followed by y once at distance 1, by z at distances 2 and 1; x and z are liked twice, y once."""
    scores = rules().scores([History.of([0])], 0)[0]
    assert scores == pytest.approx([0, 1 / 2**0.5, 1.5 / 2])


def test_order_matters() -> None:
    assert not rules().scores([History.of([2])], 0).any()


def test_the_latest_item_counts_most() -> None:
    scores = rules().scores([History.of([0, 1])], 0)[0]
    assert scores[2] == pytest.approx(1 / 2**0.5 + 0.5 * 1.5 / 2)


def test_only_the_window_counts() -> None:
    data = Interactions.from_events(["a"] * 4, list("wxyz"), times_ms=[1, 2, 3, 4])
    scores = SequenceRules(window=1, norm=0).fit(data).scores([History.of([0, 1])], 0)[0]
    assert scores.tolist() == [0, 0, 1, 0]


def test_dislikes_make_no_rules() -> None:
    data = Interactions.from_events(["a"] * 3, list("xyz"), [1, -1, 1], [1, 2, 3])
    np.testing.assert_allclose(SequenceRules(norm=0).fit(data).scores([History.of([0])], 0), [[0, 0, 1]])
