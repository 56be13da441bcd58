"""Features of a bandit: what is read, and the vector they become."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bespeak.decide.person import PersonView
from bespeak.decide.variants.context import entry_of, features_of, vector_of
from bespeak.segments.definitions import compile_segments
from bespeak.signals.events import Context

EVENING = Context(
    device="mobile",
    local_hour=20,
    local_weekday=5,
    campaign={"name": "spring"},
    declared={"mood": "calm", "age": 7, "is_vip": True, "none": None, "bad": float("nan"), "huge": 1e300},
)


def test_circumstances_become_named_numbers() -> None:
    wanted = ["device", "country", "hour", "day_part", "weekday", "weekend", "campaign"]
    assert set(features_of(wanted, None, EVENING, ())) == {
        "device=mobile", "hour=20", "day_part=evening", "weekday=5", "weekend=yes", "campaign=spring",
    }  # fmt: skip


def test_declared_keys_are_words_numbers_or_yes() -> None:
    wanted = [f"context.{key}" for key in ("mood", "age", "is_vip", "none", "bad", "huge", "absent")]
    assert features_of(wanted, None, EVENING, ()) == {
        "context.mood=calm": 1.0, "context.age": 7.0, "context.is_vip": 1.0, "context.huge": 1000.0,
    }  # fmt: skip


def test_the_person_gives_stage_segments_and_shares_of_affinities(person: Callable[..., PersonView]) -> None:
    segments = compile_segments({"viewers": "views_7d >= 2", "buyers": "orders >= 1"})
    someone = person(("horror0", "view", 2.0), ("horror1", "view", 1.0), ("comedy0", "view", 0.5))
    found = features_of(["stage", "segment.viewers", "segment.buyers", "affinity.genre"], someone, Context(), segments)
    assert found["segment.viewers"] == 1.0
    assert "segment.buyers" not in found
    assert any(name.startswith("stage=") for name in found)
    shares = {name: value for name, value in found.items() if name.startswith("affinity.")}
    assert set(shares) == {"affinity.genre=horror", "affinity.genre=comedy"}
    assert sum(shares.values()) == pytest.approx(1)


def test_of_somebody_who_refused_only_circumstances_are_read(person: Callable[..., PersonView]) -> None:
    refused = person(("horror0", "view", 2.0), granted=["essential"])
    assert features_of(["stage", "affinity.genre", "device"], refused, EVENING, ()) == {"device=mobile": 1.0}


def test_names_keep_their_entries_and_those_that_share_one_add_up() -> None:
    names = {f"device={n}": 1.0 for n in range(40)}
    vector = vector_of(names, 8)
    assert (vector[0], vector.sum()) == (1.0, 41.0)
    assert entry_of("device=mobile", 32) == entry_of("device=mobile", 32) != 0
    assert np.array_equal(vector_of({"a": 2.0}, 4), vector_of({"a": 1.0}, 4) * 2 - np.array([1.0, 0, 0, 0]))
