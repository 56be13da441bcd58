"""Position curves: what was planted comes back, whatever the slate's own order says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from bespeak.learn.rankers.position_bias import harvested, position_bias, tried_rows
from bespeak.learn.rankers.shown import ShownItems, no_rows

SIZE = 6


def explored(n: int, *, explore: float, seed: int = 0, exponents: tuple[float, ...] = (0.8,)) -> ShownItems:
    """Slates of items with appeals of their own, ordered by them but for a share that is drawn; one device each."""
    rng = np.random.default_rng(seed)
    n_items = 25
    taste = rng.normal(size=n_items)
    device = rng.integers(0, len(exponents), n)
    exponent = np.array(exponents)[device]
    appeal = taste + 0.5 * rng.normal(size=(n, n_items))
    is_open = np.ones((n, n_items), bool)
    every = np.arange(n)
    columns: list[tuple[np.ndarray, ...]] = []
    for position in range(1, SIZE + 1):
        best = np.where(is_open, appeal, -np.inf).argmax(axis=1)
        drawn = np.where(is_open, rng.random((n, n_items)), -1.0).argmax(axis=1)
        item = np.where(rng.random(n) < explore, drawn, best)
        n_open = is_open.sum(axis=1)
        propensity = np.where(item == best, 1 - explore, 0.0) + explore / n_open
        chance = position**-exponent * expit(-1.5 + appeal[every, item])
        reward = (rng.random(n) < chance).astype(float)
        columns.append((item, np.full(n, position), propensity, appeal[every, item], reward))
        is_open[every, item] = False
    item, position, propensity, score, reward = (np.stack(one, axis=1).ravel() for one in zip(*columns, strict=True))
    decisions = np.repeat(every, SIZE).astype(np.int64)
    return ShownItems(
        names=(),
        values=np.zeros((n * SIZE, 0)),
        rewards=reward,
        decisions=decisions,
        people=decisions,
        items=item.astype(np.int32),
        positions=position.astype(np.int32),
        devices=np.repeat(device, SIZE).astype(np.int32),
        device_names=tuple(f"device{d}" for d in range(len(exponents))),
        propensities=propensity,
        scores=score,
        times_ms=decisions,
    )


def test_the_planted_curve_is_recovered_within_its_errors() -> None:
    shown = explored(40_000, explore=0.2)
    curve = harvested(shown.select(tried_rows(shown)))
    assert curve is not None
    truth = np.arange(1, SIZE + 1) ** -0.8
    off = np.log(curve.examination / curve.examination[0]) - np.log(truth)
    assert (np.abs(off[1:]) < 3.5 * curve.standard_errors[1:]).all()
    assert np.abs(off).max() < 0.25
    clicks = [shown.rewards[shown.positions == p].mean() for p in range(1, SIZE + 1)]
    assert abs(np.log(clicks[-1] / clicks[0]) - np.log(truth[-1])) > 0.4  # the raw rates mislead


def test_a_flat_world_gives_a_flat_curve() -> None:
    shown = explored(30_000, explore=0.3, exponents=(0.0,), seed=2)
    curve = position_bias(shown).curve
    assert curve.is_harvested
    assert curve.examination.min() > 0.85


def test_devices_have_curves_of_their_own() -> None:
    shown = explored(60_000, explore=0.4, exponents=(1.2, 0.2), seed=3)
    bias = position_bias(shown)
    steep, flat = bias.by_device["device0"].examination, bias.by_device["device1"].examination
    assert steep[-1] / steep[0] == pytest.approx(SIZE**-1.2, abs=0.08)
    assert flat[-1] / flat[0] == pytest.approx(SIZE**-0.2, abs=0.15)
    looked = bias.examination_of(shown)
    assert looked[(shown.devices == 0) & (shown.positions == SIZE)][0] == steep[-1]


def test_without_drawn_positions_a_power_is_guessed() -> None:
    shown = explored(20_000, explore=0.0)
    bias = position_bias(shown)
    assert not bias.curve.is_harvested
    assert bias.curve.examination[-1] == pytest.approx(SIZE**-0.8, abs=0.12)


def test_only_items_below_the_slates_own_count_as_tried() -> None:
    shown = explored(500, explore=0.2)
    for row in np.flatnonzero(tried_rows(shown)):
        same = (shown.decisions == shown.decisions[row]) & (shown.propensities >= 0.5)
        assert shown.propensities[row] < 0.5
        assert (shown.scores[same] > shown.scores[row]).all()


def test_nothing_shown_is_looked_at_evenly() -> None:
    assert position_bias(no_rows()).curve.examination.tolist() == [1.0]
