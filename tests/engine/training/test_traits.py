"""What people told of themselves, from a file to what somebody is shown who did nothing yet."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from bespeak.engine.clock import iso
from bespeak.engine.importing.imports import import_file, open_file
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.training.evaluation import Evaluations
from bespeak.intake.columns import parse_mapping
from bespeak.models import Popularity, SegmentPopularity
from bespeak.signals.events import Context
from bespeak.signals.ids import USER_ID, IdKey
from bespeak.signals.items import Item

START_MS = 1_767_225_600_000
HOUR_MS = 3_600_000
N_USERS, N_ITEMS = 240, 24
AGES = {0: 21, 1: 70}
BANDS = {0: "18-24", 1: "65+"}


def at(hour: float) -> str:
    return iso(int(START_MS - 3_000 * HOUR_MS + hour * HOUR_MS))


def views() -> list[tuple[str, str, str]]:
    """The young mostly view even items, the old odd ones; people come one after the other, and come back once."""
    rng = np.random.default_rng(2)
    found = []
    for user in range(N_USERS):
        likely = 1.0 / np.arange(4, N_ITEMS + 4)
        likely[np.arange(N_ITEMS) % 2 == user % 2] *= 8
        for step, item in enumerate(rng.choice(N_ITEMS, 6, replace=False, p=likely / likely.sum()).tolist()):
            found.append((f"u{user}", f"p{item}", at(user * 10 + step + 500 * (step == 5))))
    return found


def track(user: str, item: str, time: str, **more):
    return {"type": "track", "event": "Product Viewed", "userId": user, "timestamp": time,
            "properties": {"product_id": item}, **more}  # fmt: skip


def identify(user: str, traits: dict, **more):
    return {"type": "identify", "userId": user, "timestamp": at(2_990), "traits": traits, **more}


@pytest.fixture
def filled(engine, tmp_path):
    engine.items.put([Item(id=f"p{n}", title=f"P {n}") for n in range(N_ITEMS)])
    users, events = tmp_path / "users.csv", tmp_path / "events.csv"
    with users.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "age", "nickname", "shoe", "time"])
        writer.writerows([f"u{n}", AGES[n % 2], f"nick {n % 3}", 40 + n % 3, at(0)] for n in range(N_USERS))
    with events.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "item", "time"])
        writer.writerows(views())
    import_file(
        engine.core, open_file(engine.core, users, "users", mapping=parse_mapping("user=user,age=age,timestamp=time"))
    )
    mapping = parse_mapping("user=user,item=item,timestamp=time")
    import_file(engine.core, open_file(engine.core, events, "events", mapping=mapping))
    return engine


@pytest.fixture
def trained(filled):
    filled.models.train()
    return filled


def traits_of(engine) -> dict[int, dict]:
    feed(engine.core)
    log = engine.models.interactions()
    return {} if log.traits is None else {int(u): dict(log.history(i).traits) for i, u in enumerate(log.user_ids)}


def test_somebody_known_by_traits_alone_is_shown_what_people_like_them_choose(trained):
    header = trained.models.versions()[0][1]
    assert any("Traits of people" in sentence and "they help" in sentence for sentence in header.sentences)
    assert {"segment_popularity", "attribute_factors"} & {stored.name for stored in header.models}
    trained.track([identify("young", {"age": 20}), identify("old", {"age": 80})], source="backend")
    for user, remainder in (("young", 0), ("old", 1)):
        slate = trained.decide("home", user_id=user, count=6, explain=True)
        assert sum(int(item.item_id[1:]) % 2 == remainder for item in slate) >= 5
        texts = [reason.text for item in slate for reason in item.reasons if "." in reason.signal]
        assert {f"popular with people of {BANDS[remainder]}", f"suits people of {BANDS[remainder]}"} & set(texts)
        assert not [text for text in texts if "you chose" in text]
        assert any("told of themselves" in note for note in slate.decision.notes)


def test_whoever_withholds_a_purpose_is_shown_what_anybody_is(trained):
    refused = {"context": {"consent": {"categoryPreferences": {"personalize": False}}}}
    trained.track([identify("old", {"age": 80}, **refused)], source="backend")
    shown, anybody = (trained.decide("home", user_id=user, count=6, explain=True) for user in ("old", "nobody"))
    assert [item.item_id for item in shown] == [item.item_id for item in anybody]
    assert not [r for item in shown for r in item.reasons if "people of" in r.text]


def test_the_evaluation_asks_about_new_people_with_their_traits(trained):
    found = Evaluations(trained.core, trained.models).evaluate().evaluation
    assert found.newcomers is not None
    figures = {row.model: interval.mean for row, interval in zip(found.rows, found.newcomers.ndcg, strict=True)}
    assert figures["segment_popularity"] > figures["popularity"] + 0.05


def test_only_declared_words_are_trained_on(filled):
    found = traits_of(filled)
    assert len(found) == N_USERS
    assert {name for traits in found.values() for name in traits} == {"age_band"}
    assert {traits["age_band"] for traits in found.values()} == {("18-24",), ("65+",)}


def test_a_trait_is_trained_on_only_where_the_person_lets_training_have_it(filled):
    def improve(granted: bool) -> dict:
        return {"context": {"consent": {"categoryPreferences": {"improve": granted, "personalize": True}}}}

    filled.track([track("v1", "p1", at(2_900)), identify("v1", {"age": 30}, **improve(True))], source="backend")
    assert ("25-34",) in [traits.get("age_band") for traits in traits_of(filled).values()]
    before = len(traits_of(filled))
    filled.track([track("v1", "p1", at(2_991), **improve(False))], source="backend")
    after = traits_of(filled)
    assert len(after) == before - 1
    assert ("25-34",) not in [traits.get("age_band") for traits in after.values()]


def test_a_corrected_trait_counts_and_an_unset_one_does_not(filled):
    filled.track([identify("u0", {"age": 50}), identify("u1", {"age": None})], source="backend")
    values = [traits.get("age_band") for traits in traits_of(filled).values()]
    assert values.count(("45-54",)) == 1
    assert values.count(None) == 1


def test_a_class_of_its_own_purpose_is_read_only_where_that_is_granted(make):
    engine = make(
        {
            "consent": {"purposes": ["about_me"]},
            "signals": {"classes": {"demographic": {"purpose": "about_me"}}},
        }
    )
    engine.track([track(f"u{n}", f"p{n % 3}", at(n)) for n in range(20)], source="backend")
    words = {"improve": True, "personalize": True}
    for n in range(20):
        consent = {"context": {"consent": {"categoryPreferences": words | {"about_me": n >= 10}}}}
        engine.track([identify(f"u{n}", {"gender": "f"}, **consent)], source="backend")
    told = [user for user, traits in traits_of(engine).items() if traits]
    assert len(told) == 10
    person = engine.decisions.person([IdKey(USER_ID, "u3")], Context(), engine.core.now_ms())
    assert not person.traits


def test_a_trait_that_is_dropped_in_the_configuration_plays_no_part(make):
    engine = make({"signals": {"traits": {"gender": {"as": "dropped"}}}})
    engine.track([track(f"u{n}", f"p{n % 3}", at(n)) for n in range(20)], source="backend")
    engine.track([identify(f"u{n}", {"gender": "f", "country": "DE"}) for n in range(20)], source="backend")
    assert set(map(str, traits_of(engine).values())) == {"{'country': ('DE',)}"}


def test_an_erased_person_leaves_no_trait_and_models_hold_no_single_person(filled):
    filled.track([track("only", "p1", at(2_900)), identify("only", {"country": "Tuvalu"})], source="backend")
    assert ("Tuvalu",) in [traits.get("country") for traits in traits_of(filled).values()]
    fitted = SegmentPopularity().fit(filled.models.interactions())
    assert not any(b"Tuvalu" in array.tobytes() for array in fitted.arrays().values())
    filled.privacy.erase("only")
    assert ("Tuvalu",) not in [traits.get("country") for traits in traits_of(filled).values()]


def test_without_traits_nothing_is_said_of_them(engine):
    engine.track([track(user, item, time) for user, item, time in views()[:200]], source="backend")
    engine.models.train(candidates=[Popularity()])
    assert not [s for s in engine.models.versions()[0][1].sentences if "Traits" in s]
