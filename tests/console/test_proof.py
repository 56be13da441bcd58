"""The page that shows what personalization earned where the truth is known."""

from __future__ import annotations

import time

import pytest

from bespeak.console.proof import chart, figures
from bespeak.simulate.proof import Standing, Trial, recorded

TRIAL = Trial(n_people=10, n_days=12, from_day=10)


def stood(day: int, lift: float, low: float, high: float) -> Standing:
    return Standing(day=day, n_visits=9, n_decided=4, lift=lift, interval=(low, high), true_lift=0.25)


def test_the_interval_and_both_lines_stand_where_their_figures_do() -> None:
    drawn = chart(TRIAL, [Standing(day=9, n_visits=5, n_decided=0), stood(11, 0.3, 0.0, 0.5), stood(12, 0.2, 0.1, 0.4)])
    assert [tick for tick, _ in drawn["ticks"]] == [0.0, 0.2, 0.4, 0.6]
    assert drawn["line"] == "M300.0,120.0 L600.0,160.0"
    assert drawn["band"] == "M300.0,40.0 L600.0,80.0 L600.0,200.0 L300.0,240.0 Z"
    assert drawn["truth"] == "M300.0,140.0 L600.0,140.0"


def test_days_that_say_too_little_are_left_out_of_the_plot() -> None:
    wide = stood(11, 1.0, -5.0, 9.0)
    assert chart(TRIAL, [wide, stood(12, 0.2, 0.1, 0.4)])["line"] == "M600.0,160.0"
    assert figures(recorded())["chart"]["line"].count("L") > 10


def test_what_is_recorded_excludes_zero_and_covers_the_truth() -> None:
    """It is what a visitor of the demo sees first; a release that does not reach it should not ship."""
    last = recorded().standings[-1]
    assert last.interval is not None
    assert last.true_lift is not None
    assert 0 < last.interval[0] < last.true_lift < last.interval[1]


def test_a_crowd_comes_is_counted_and_goes(outside) -> None:
    assert "Send 5,000 visitors</button>" in outside.get("/demo/proof").text
    answer = outside.post("/demo/proof")
    assert (answer.status_code, answer.headers["location"]) == (303, "/demo/proof")
    assert 'data-state="running"' in outside.get("/demo/proof/crowd").text
    assert outside.post("/demo/proof").status_code == 303  # another one waits for nobody and changes nothing
    deadline = time.monotonic() + 120
    while 'data-state="running"' in (text := outside.get("/demo/proof/crowd").text):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert "of them decided by the engine" in text
    assert "Send them again" in text


def test_another_site_cannot_send_a_crowd(outside) -> None:
    before = outside.get("/demo/proof/crowd").text
    answer = outside.post("/demo/proof", headers={"sec-fetch-site": "cross-site"})
    assert answer.headers["location"] == "/demo/"
    assert outside.get("/demo/proof/crowd").text == before


@pytest.mark.parametrize("path", ["/demo/proof", "/demo/proof/crowd"])
def test_the_page_needs_no_style_and_no_script_of_its_own(outside, path) -> None:
    text = outside.get(path).text
    assert " style=" not in text
    assert "<script>" not in text
