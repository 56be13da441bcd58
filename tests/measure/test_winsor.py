"""Winsorisation: a pooled quantile of what is not zero, and values above it lowered to it."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.measure.winsor import winsor_cap, winsorised


def test_zeros_do_not_move_the_cap():
    values = np.arange(1.0, 1_001.0)
    assert winsor_cap(values) == winsor_cap(np.concatenate([values, np.zeros(9_000)])) == pytest.approx(999.001)


def test_one_huge_value_no_longer_drowns_the_rest():
    values = np.concatenate([np.ones(2_000), [1e9]])
    assert winsorised(values, winsor_cap(values)).max() == 1


def test_where_all_is_zero_nothing_is_capped():
    assert winsorised([0.0, 0.0], winsor_cap([0.0, 0.0])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("quantile", [0, 1, 99.9])
def test_a_quantile_that_is_none_is_refused(quantile):
    with pytest.raises(InvalidInput, match="must lie between 0 and 1"):
        winsor_cap([1.0], quantile)
