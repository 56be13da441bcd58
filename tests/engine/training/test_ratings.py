"""Foretelling what somebody would rate: from the log to a live profile, and back to the mean without consent."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.engine.clock import iso
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.training.evaluation import Evaluations, plain
from bespeak.engine.training.ratings import RatingSource
from bespeak.errors import InvalidInput
from bespeak.models.interactions import ItemContent
from bespeak.models.popular.popularity import Popularity
from bespeak.models.ratings.base import RatingScale
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.items import Item

START_MS = 1_767_225_600_000
HOUR_MS = 3_600_000
N_USERS, N_ITEMS = 50, 30


def rated(user: str, item: str, stars: float | None, hour: int, **more):
    properties = {"product_id": item} | ({} if stars is None else {"rating": stars})
    time = iso(START_MS - 2_000 * HOUR_MS + hour * HOUR_MS)
    return {"type": "track", "event": "Product Reviewed", "userId": user, "timestamp": time,
            "properties": properties, **more}  # fmt: skip


def ratings():
    """Even people like even items, odd people odd ones; in the order of hours."""
    rng = np.random.default_rng(1)
    seen = [rng.permutation(N_ITEMS) for _ in range(N_USERS)]
    found = []
    for hour in range(24):
        for user in range(N_USERS):
            item = int(seen[user][hour])
            stars = 4.5 if user % 2 == item % 2 else 1.5
            found.append(rated(f"u{user}", f"p{item}", float(np.clip(stars + rng.choice([-0.5, 0, 0.5]), 1, 5)), hour))
    return found


@pytest.fixture
def trained(engine):
    engine.items.put(
        [Item(id=f"p{n}", title=f"P {n}", attributes={"category": ["even", "odd"][n % 2]}) for n in range(N_ITEMS)]
    )
    engine.track(ratings(), source="backend")
    engine.models.train(candidates=[Popularity()])
    return engine


def values(engine, user, items):
    return [one.rating for one in engine.models.predict_ratings(user, items)]


def test_each_camp_is_foretold_its_own_taste(trained):
    even, odd = values(trained, "u0", ["p2", "p3"])
    assert even > 3.8
    assert odd < 2.2
    even, odd = values(trained, "u1", ["p2", "p3"])
    assert even < 2.2
    assert odd > 3.8


def test_a_rating_counts_at_once_for_somebody_new(trained):
    before = values(trained, "newcomer", ["p4", "p5"])
    assert before[0] == pytest.approx(before[1], abs=0.5)
    trained.track([rated("newcomer", "p2", 5, 1_990), rated("newcomer", "p3", 1, 1_991)], source="backend")
    even, odd = values(trained, "newcomer", ["p4", "p5"])
    assert even > odd + 1


def test_the_latest_word_about_an_item_counts(trained):
    trained.track([rated("changer", "p2", 1, 1_980), rated("changer", "p3", 5, 1_981)], source="backend")
    before = values(trained, "changer", ["p4"])[0]
    trained.track([rated("changer", "p2", 5, 1_982), rated("changer", "p3", 1, 1_983)], source="backend")
    assert values(trained, "changer", ["p4"])[0] > before + 1


def test_an_erased_person_gets_what_somebody_unknown_gets(trained):
    unknown = values(trained, "nobody", ["p2", "p3"])
    assert values(trained, "u0", ["p2", "p3"]) != pytest.approx(unknown, abs=0.5)
    trained.privacy.erase("u0")
    assert values(trained, "u0", ["p2", "p3"]) == unknown


def test_withdrawn_consent_gets_what_somebody_unknown_gets(trained):
    refusal = {
        "type": "track",
        "event": "Segment Consent Preference Updated",
        "userId": "u1",
        "timestamp": iso(START_MS - HOUR_MS),
        "context": {"consent": {"categoryPreferences": {"personalize": False}}},
    }
    trained.track([refusal], source="backend")
    assert values(trained, "u1", ["p2", "p3"]) == values(trained, "nobody", ["p2", "p3"])


def test_an_item_that_came_later_gets_what_its_attributes_foretell_and_any_other_a_mean(trained):
    trained.items.put([Item(id="late", title="Late", attributes={"category": "even"})])
    late, even, odd, unheard = values(trained, "u0", ["late", "p2", "p3", "unheard-of"])
    assert late > odd + 1
    assert abs(late - even) < 1
    assert 2 < unheard < 4


def test_a_spread_says_how_sure_it_is(trained):
    sure = trained.models.predict_ratings("u0", ["p2"])[0]
    unsure = trained.models.predict_ratings("nobody", ["p2"])[0]
    assert 0 < sure.spread < unsure.spread


def test_the_set_says_how_far_off_predictions_are(trained):
    version, header = trained.models.versions()[0]
    assert header.ratings is not None
    assert header.metrics["ratings.rmse"] < 0.7 * header.metrics["ratings.baseline.rmse"]
    assert any("RMSE" in sentence for sentence in header.sentences)
    assert version.state == "current"


def test_an_evaluation_holds_them_too(trained):
    report = Evaluations(trained.core, trained.models).evaluate()
    found = report.ratings
    assert found is not None
    assert found.rows[found.in_use].rmse.mean < 0.7 * found.rows[found.baseline].rmse.mean
    assert any("RMSE" in sentence for sentence in report.sentences)
    assert plain(report)["ratings"]["calibration"][0]["given"]["n"] > 0


def test_too_few_ratings_foretell_nothing(engine):
    engine.track(ratings()[:300], source="backend")
    engine.models.train(candidates=[Popularity()])
    assert engine.models.versions()[0][1].ratings is None
    assert Evaluations(engine.core, engine.models).evaluate().ratings is None
    with pytest.raises(InvalidInput, match="foretell no ratings"):
        engine.models.predict_ratings("u0", ["p1"])


def test_a_review_without_stars_is_no_rating(trained):
    n = len(trained.models.ratings(None, ItemContent(())))
    trained.track([rated("late", "p1", None, 1), rated("late", "p2", 3, 2)], source="backend")
    feed(trained.core)
    assert len(trained.models.ratings(None, ItemContent(()))) == n + 1


def test_ratings_come_from_classes_that_hold_nothing_else():
    signals = SignalCatalogue.built_in()
    assert RatingSource.of(signals.specs) == RatingSource(frozenset({"rating"}), RatingScale(1, 5))
    halves = signals.with_overrides(
        {"events": {"product_reviewed": {"strength": {"rating": "stars", "scale": [0.5, 5]}}}}
    )
    assert RatingSource.of(halves.specs).scale == RatingScale(0.5, 5)
    mixed = signals.with_overrides({"events": {"thumb": {"events": ["Thumb"], "class": "rating"}}})
    assert RatingSource.of(mixed.specs) is None
