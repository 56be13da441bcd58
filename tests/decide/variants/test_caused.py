"""What an action causes: each decision by what might have happened in it, and little from little."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.decide.variants.caused import caused, rows_of
from bespeak.decide.variants.creative_sums import CreativeSums
from bespeak.signals.decisions import Decision, ShownItem


def decision(shown: str | None, propensity: float, nothing: float, others: tuple[str, ...]) -> Decision:
    items = () if shown is None else (ShownItem(item_id=shown, position=1, score=1.0, propensity=propensity),)
    candidates = tuple((name, 0.0) for name in others)
    return Decision(decision_id="d", time_ms=1, placement="next", mode="profiled", policy="next@1", items=items,
                    candidates=candidates, withheld_propensity=nothing)  # fmt: skip


def test_a_decision_says_something_of_what_was_done_or_of_all_that_was_withheld() -> None:
    done = list(rows_of(decision("a", 0.5, 0.25, ("b",)), 1.0, 1.0))
    assert done == [("a", "done", 2.0, 1.0), ("a", "done2", 4.0, 1.0)]
    withheld = list(rows_of(decision(None, 1.0, 0.25, ("a", "b")), 0.0, 0.5))
    assert [row[:3] for row in withheld if row[1] == "withheld"] == [("a", "withheld", 2.0), ("b", "withheld", 2.0)]
    assert list(rows_of(decision("a", 1.0, 0.0, ()), 1.0, 1.0)) == []


def test_the_rates_are_those_of_the_same_people_though_other_people_get_other_actions() -> None:
    """Keen people mostly get `a`; a plain difference of rates would say that it causes what it only meets."""
    rng = np.random.default_rng(7)
    rows, n = [], 40_000
    keen = rng.random(n) < 0.5
    chance = np.where(keen, 0.6, 0.1)
    is_done = rng.random(n) < chance
    success = rng.random(n) < np.where(keen, 0.5, 0.1) + 0.05 * is_done
    for one in range(n):
        of = decision("a", chance[one], 1 - chance[one], ()) if is_done[one] else decision(
            None, 1.0, 1 - chance[one], ("a",))  # fmt: skip
        rows += rows_of(of, float(success[one]), 1.0)
    held = CreativeSums.of(rows).of_items["a"]
    found = caused(held, 0.0, 1e-9)
    assert success[is_done].mean() - success[~is_done].mean() > 0.2
    assert found.low < 0.05 < found.high
    assert found.high - found.low < 0.06


def test_the_interval_covers_the_truth_in_nineteen_of_twenty() -> None:
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(600):
        done, withheld = rng.binomial(300, 0.2), rng.binomial(300, 0.15)
        rows = [("a", "done", 2.0, 1.0)] * done + [("a", "done", 2.0, 0.0)] * (300 - done)
        rows += [("a", "withheld", 4.0, 1.0)] * withheld + [("a", "withheld", 4.0, 0.0)] * (300 - withheld)
        rows += [(a, f"{side}2", w * w, r) for a, side, w, r in rows]
        found = caused(CreativeSums.of(rows).of_items["a"], 0.05, 1e-9)
        hits += found.low <= 0.05 <= found.high
    assert 0.93 <= hits / 600 <= 0.97


@pytest.mark.parametrize("held", [{}, {"done": (5.0, 5.0, 5.0), "done2": (5.0, 5.0, 5.0)}])
def test_what_is_stated_holds_until_both_sides_are_known(held) -> None:
    assert caused(held, 0.03, 20.0).uplift == 0.03


def test_few_rows_move_what_is_stated_a_little() -> None:
    ten = (10.0, 10.0, 10.0)
    none = (10.0, 0.0, 0.0)
    found = caused({"done": none, "done2": none, "withheld": ten, "withheld2": ten}, 0.1, 95.0)
    assert found.uplift == pytest.approx(0.05 * -1.0 + 0.95 * 0.1)
