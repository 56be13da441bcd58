"""Metrics: what each counts of a handful of signals, by hand; and what a wrong declaration is told."""

from __future__ import annotations

import pytest

from bespeak.errors import ConfigError
from bespeak.measure.metrics import BUILT_IN, metrics_from


@pytest.mark.parametrize("metric", BUILT_IN.values(), ids=lambda metric: metric.name)
def test_every_built_in_metric_has_a_title_and_asks_for_sums(metric):
    assert metric.shown
    assert metric.wanted(28).name == metric.name


def test_a_window_that_begins_later_waits_until_it_has_passed():
    wanted = BUILT_IN["retention"].wanted()
    assert wanted.open_ms == 14 * 86_400_000
    assert (wanted.value.of.from_ms, wanted.value.of.to_ms) == (7 * 86_400_000, 14 * 86_400_000)
    assert BUILT_IN["conversion_rate"].wanted().open_ms == 0


def test_the_covariate_is_the_same_figure_from_before():
    wanted = BUILT_IN["order_value"].wanted(14)
    assert wanted.before is not None
    assert (wanted.before.of.from_ms, wanted.before.of.to_ms) == (-14 * 86_400_000, 0)
    assert wanted.before.of.where == wanted.value.of.where
    assert BUILT_IN["order_value"].wanted(0).before is None


@pytest.mark.parametrize(
    ("section", "key", "said"),
    [
        ({}, "metrics.mine.of", "counts nothing"),
        ({"of": "class = "}, "metrics.mine.of", ""),
        ({"of": "klass = 'a'"}, "metrics.mine.of", "no column 'klass'"),
        ({"of": "item = 'a'", "per": "price > 1"}, "metrics.mine.per", "no column 'price'"),
        ({"of": "strength > 1 AND now() > now()"}, "metrics.mine.of", "now()"),
        ({"of": "item = 'a'", "aggregate": "median"}, "metrics.mine.aggregate", "median"),
        ({"of": "item = 'a'", "winsorise": 1.5}, "metrics.mine.winsorise", "< 1"),
        ({"of": "item = 'a'", "after_days": 7}, "metrics.mine.window_days", "a window"),
        ({"of": "item = 'a'", "is_closed": True}, "metrics.mine.window_days", "a window"),
        ({"of": "item = 'a'", "colour": 1}, "metrics.mine", "no setting 'colour'"),
        ({"like": "orderz"}, "metrics.mine.like", "is no metric"),
    ],
)
def test_a_wrong_metric_is_refused_with_its_key(section, key, said):
    with pytest.raises(ConfigError) as refused:
        metrics_from({"mine": section})
    assert refused.value.key == key
    assert said in refused.value.message
