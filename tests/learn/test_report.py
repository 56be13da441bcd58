from dataclasses import replace

import numpy as np

from bespeak.learn.choosing.choice import Choice
from bespeak.learn.intervals import Interval
from bespeak.learn.leaderboard import Leaderboard, Row
from bespeak.learn.report import sentences
from bespeak.models import Ease, Interactions, Popularity

DAY_MS = 86_400_000


def row(model: str, settings: dict, mean: float, difference: Interval | None) -> Row:
    ndcg = Interval(mean, mean - 0.01, mean + 0.01, 50)
    return Row(model, settings, 0.1, ndcg, 0.2, 0.3, 4.0, 1.0, 2.0, difference)


def log() -> Interactions:
    return Interactions.from_events(["a", "b"], ["x", "y"], times_ms=np.array([0, 31]) * DAY_MS)


def board(winner: int, difference: Interval) -> Leaderboard:
    rows = (
        row("ease", {"l2": 50.0}, 0.143, difference),
        row("recent_popularity", {}, 0.09, None),
        row("popularity", {}, 0.081, Interval(-0.009, -0.02, 0.001, 50)),
    )
    return Leaderboard("calendar", 10, rows, winner, winner, 1, 50, 0.234)


def test_the_report_reads_like_a_colleague() -> None:
    said = sentences(Ease(l2=50.0), [board(0, Interval(0.053, 0.04, 0.066, 50))], log(), "positive")
    assert said == [
        "2 people, 2 items, 2 events from 1970-01-01 to 1970-02-01, 23 % of test people new.",
        "By the calendar (first 80 % of events against what followed), 50 people asked, NDCG@10: popularity .081, "
        "recent popularity .090, chosen: ease (l2 50) .143 [.133, .153]; against recent popularity +.053 [.040, .066], "
        "better.",
        "In use: ease (l2 50), chosen by the calendar on an earlier cut and now fitted on all events, those of the "
        "test included; the figures are of a fit without them. Right answers were later events of positive weight with "
        "items new to the person.",
    ]


def test_a_gain_within_noise_and_a_loss_are_called_what_they_are() -> None:
    said = sentences(Ease(l2=50.0), [board(0, Interval(0.01, -0.02, 0.04, 50))], log(), "positive")
    assert "+.010 [-.020, .040], no difference beyond noise" in said[1]
    said = sentences(Ease(l2=50.0), [board(0, Interval(-0.03, -0.04, -0.02, 50))], log(), "positive")
    assert "-.030 [-.040, -.020], worse" in said[1]


def test_a_baseline_that_nothing_beat_is_named_as_such() -> None:
    said = sentences(Popularity(), [board(1, Interval(0.0, 0.0, 0.0, 50))], log(), "positive")
    assert "that is the baseline itself, nothing beat it" in said[1]


def test_one_person_is_said_to_say_nothing_and_few_to_be_few() -> None:
    found = board(0, Interval(0.01, -0.98, 0.98, 1))
    assert sentences(Ease(), [replace(found, n_people=1)], log(), "positive")[1].endswith(
        "One person says nothing about the others."
    )
    few = sentences(Ease(), [replace(found, n_people=12)], log(), "positive")[1]
    assert few.endswith("12 people are few: read the intervals, not the means.")
    assert "1 person asked" in sentences(Ease(), [replace(found, n_people=1)], log(), "positive")[1]


def test_why_something_simpler_than_the_best_figure_is_used_is_said() -> None:
    families = {"ease": Ease(), "popularity": Popularity()}
    choice = Choice("live", Popularity(), families, {"ease": 0.31, "popularity": 0.3}, 40, 12, ("ease", "popularity"))
    said = " ".join(sentences(Popularity(), [board(0, Interval(0.0, 0.0, 0.0, 50))], log(), "positive", choice))
    assert (
        "When choosing, ease .310 and popularity .300 lay within noise of each other with 12 people asked, so the "
        "simpler one has the first say."
    ) in said


def test_without_a_comparison_the_report_says_so() -> None:
    said = sentences(Popularity(), [], log(), "positive")
    assert said[1] == (
        "Nobody has two events, so there is nothing to compare models by; popularity is used until somebody has."
    )
    disliked = Interactions.from_events(["a", "a"], ["x", "y"], weights=[-1, -1])
    assert "No event is of positive weight" in sentences(Popularity(), [], disliked, "positive")[1]
    few = Interactions.from_events(["a", "a"], ["x", "x"])
    assert (
        sentences(Popularity(), [], few, "positive")[1]
        == "Too few events to compare models; popularity is used until there are more."
    )
