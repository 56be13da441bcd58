"""Stored profiles and the events that wait for them: nobody who reads one sees a profile without them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bespeak
from bespeak.errors import StoreError, StoreTooNew
from bespeak.profiles.codec import decode, encode
from bespeak.profiles.fold import fold
from bespeak.profiles.profile import Profile
from bespeak.profiles.stored import EVERYTHING, consent_of, live_profile, may_wait, position_of, stored

FACETS = {"p1": {"category": ["audio"], "price": 2}}


@pytest.fixture
def profile(saw, settings) -> Profile:
    made = Profile()
    fold(made, saw(1, "view", "p1", facets=FACETS, consent={"share": True}), settings)
    return made


@pytest.fixture
def body(profile) -> bytes:
    return stored(profile, 7)


def test_what_waits_is_folded_when_it_is_read_to_the_bit(profile, body, saw, settings):
    waiting = [saw(2, "view", "p1", facets=FACETS), saw(3, "cart", "p1", quantity=3.0)]
    live = live_profile(body, settings, waiting)
    for observation in waiting:
        fold(profile, observation, settings)
    assert encode(live) == encode(profile)
    assert position_of(body) == 7


@pytest.mark.parametrize(
    "more", [{"consent": {"share": False}}, {"traits": {"plan": "x"}}, {"is_profiled": False}], ids=str
)
def test_words_on_consent_traits_and_what_may_not_be_profiled_never_wait(saw, more):
    assert may_wait(saw(2, "view", "p1"))
    assert not may_wait(saw(3, "view", "p1", **more))


def test_the_latest_words_on_consent_are_read_without_what_waits(profile, body):
    assert consent_of(body) == profile.consent


def test_a_profile_without_a_position_is_read_and_nothing_waits_for_it(profile, settings):
    assert position_of(encode(profile)) == EVERYTHING
    assert encode(live_profile(encode(profile), settings, ())) == encode(profile)
    assert consent_of(encode(profile)) == profile.consent


def test_every_cut_is_refused_as_a_store_error(body, settings):
    for length in range(len(body)):
        with pytest.raises(StoreError):
            live_profile(body[:length], settings, ())


def test_an_event_that_cannot_be_folded_is_a_store_error(body, settings):
    with pytest.raises(StoreError):
        live_profile(body, settings, (1 / 0 for _ in range(1)))


def test_a_reader_that_knows_no_positions_refuses(body):
    with pytest.raises(StoreTooNew):
        decode(body)


def test_whoever_reads_stored_rows_reads_what_waits_too():
    """Copies and baselines have nothing behind them; every other reader goes through `engine.folding.live`."""
    package = Path(bespeak.__file__).parent

    def readers(pattern: str) -> set[str]:
        found = (path for path in package.rglob("*.py") if re.search(pattern, path.read_text()))
        return {path.relative_to(package).as_posix() for path in found}

    assert readers(r"from bespeak\.profiles\.codec import .*\bdecode\b") == {
        "profiles/merge.py",
        "engine/folding/baselines.py",
    }
    assert readers(r"from bespeak\.profiles\.stored import .*\blive_profile\b") == {
        "engine/folding/live.py",
        "engine/folding/profile_book.py",
    }
