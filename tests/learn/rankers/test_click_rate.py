"""Click rates of items: smoothed, by where people look, about nobody."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.learn.rankers.click_rate import MIN_PEOPLE, PRIOR, click_rates
from bespeak.learn.rankers.shown import ShownItems, no_rows


def shown(items: list[int], rewards: list[float], people: list[int]) -> ShownItems:
    empty = no_rows()
    changed = {
        "values": np.zeros((len(items), 0)),
        "items": np.array(items, np.int32),
        "rewards": np.array(rewards),
        "people": np.array(people, np.int64),
    }
    return ShownItems(**{**{f: getattr(empty, f) for f in empty.__dataclass_fields__}, **changed})


def test_the_rate_by_hand() -> None:
    rows = shown([0] * 10 + [1] * 10, [1.0] * 4 + [0.0] * 16, list(range(20)))
    values = click_rates(rows, np.ones(20))
    mean = 4 / 20
    assert values[0] == pytest.approx(np.log((4 + PRIOR) / (10 + PRIOR / mean) / mean) / np.log(4))
    assert values[1] < 0 < values[0]


def test_an_item_is_not_judged_by_its_position() -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    items = np.arange(n) % 2
    looked = np.where(items == 0, 1.0, 0.25)
    rewards = (rng.random(n) < 0.2 * looked).astype(float)
    values = click_rates(shown(items.tolist(), rewards.tolist(), list(range(n))), looked)
    assert np.abs(values).max() < 0.05


def test_of_an_item_that_few_were_shown_nothing_is_said() -> None:
    few, more = [0] * (MIN_PEOPLE - 1), [1] * MIN_PEOPLE
    people = [*range(MIN_PEOPLE - 1), *range(MIN_PEOPLE)]
    values = click_rates(shown(few + more, [1.0] * len(few) + [0.0] * len(more), people), np.ones(len(people)))
    assert values[0] == 0.0
    assert values[1] < 0


def test_nothing_shown_or_nothing_come_of_it_says_nothing() -> None:
    assert click_rates(no_rows(), np.zeros(0)).tolist() == []
    assert click_rates(shown([0, 1], [0.0, 0.0], [1, 2]), np.ones(2)).tolist() == [0.0, 0.0]
