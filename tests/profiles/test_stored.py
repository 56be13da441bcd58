"""Events that wait behind a stored profile: nobody who reads it sees a profile without them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bespeak
from bespeak.errors import StoreError, StoreTooNew
from bespeak.profiles.codec import decode, encode
from bespeak.profiles.fold import fold
from bespeak.profiles.profile import Profile
from bespeak.profiles.stored import MAX_EVENTS, consent_of, live_profile, with_events
from bespeak.signals.events import Context
from bespeak.signals.ids import IdKey

FACETS = {"p1": {"category": ["audio"], "price": 2}}


@pytest.fixture
def whole(saw, settings) -> bytes:
    profile = Profile()
    fold(profile, saw(1, "view", "p1", facets=FACETS, consent={"share": True}), settings)
    return encode(profile)


@pytest.fixture
def seen(saw):
    """Observations of every kind that may wait."""
    context = Context(device="mobile", os="iOS", country="DE", city="Ulm", page={"path": "/a"}, referrer_class="search")
    return [
        saw(2, "view", "p1", facets=FACETS, context=context, type="page", ids=(IdKey("user_id", "u1"),)),
        saw(3, "cart", "p1", facets=FACETS, quantity=3.0),
        saw(4, "purchase", "p1", value=990, order_id="o1"),
        saw(5, "view", "", facets={"": {"brand": ["own", "other"]}}, is_visit=False),
    ]


def test_what_waits_is_what_folding_it_at_once_gives_to_the_bit(whole, seen, settings):
    at_once = decode(whole)
    body: bytes | None = whole
    for observation in seen:
        fold(at_once, observation, settings)
        body = with_events(body or b"", [observation])
        assert body is not None
        assert encode(live_profile(body, settings)) == encode(at_once)
    assert with_events(whole, seen) == body


def test_after_some_events_it_is_time_to_fold(whole, saw, settings):
    seen = [saw(10 + n, "view", f"p{n}") for n in range(MAX_EVENTS + 1)]
    body = with_events(whole, seen[:-1])
    assert body is not None
    assert with_events(body, seen[-1:]) is None
    assert with_events(whole, seen) is None


@pytest.mark.parametrize(
    "more", [{"consent": {"share": False}}, {"traits": {"plan": "x"}}, {"is_profiled": False}], ids=str
)
def test_words_on_consent_traits_and_what_may_not_be_profiled_never_wait(whole, saw, more):
    assert with_events(whole, [saw(2, "view", "p1"), saw(3, "view", "p1", **more)]) is None


def test_somebody_without_a_profile_gets_one_at_the_first_event(saw):
    assert with_events(b"", [saw(1, "view", "p1")]) is None


def test_a_bot_leaves_nothing(whole, seen, saw):
    bot = saw(9, "view", "p9", is_bot=True)
    assert with_events(whole, [bot]) == whole
    assert with_events(whole, [bot, *seen]) == with_events(whole, seen)


def test_the_latest_words_on_consent_are_read_without_what_waits(whole, seen):
    body = with_events(whole, seen)
    assert body is not None
    assert consent_of(body) == consent_of(whole) == decode(whole).consent


def test_nothing_waits_that_never_reaches_a_profile(whole, saw):
    page = {"path": "/a", "url": "https://shop/a?mail=marker", "title": "marker", "search": "?marker"}
    context = Context(page=page, campaign={"name": "marker"}, declared={"mood": "marker"}, library="marker")
    body = with_events(whole, [saw(2, "view", "p1", context=context)])
    assert body is not None
    assert b"/a" in body
    assert b"marker" not in body


def test_every_cut_is_refused_as_a_store_error(whole, seen, settings):
    body = with_events(whole, seen)
    assert body is not None
    for length in range(len(body)):
        with pytest.raises(StoreError):
            live_profile(body[:length], settings)


def test_a_reader_that_knows_no_waiting_events_refuses(whole, seen):
    body = with_events(whole, seen)
    assert body is not None
    with pytest.raises(StoreTooNew):
        decode(body)


def test_whoever_reads_stored_rows_reads_what_waits_too():
    """Copies and baselines have nothing behind them; every other reader goes through `live_profile`."""
    package = Path(bespeak.__file__).parent
    pattern = re.compile(r"from bespeak\.profiles\.codec import .*\bdecode\b")
    readers = {
        path.relative_to(package).as_posix() for path in package.rglob("*.py") if pattern.search(path.read_text())
    }
    assert readers == {"profiles/merge.py", "engine/privacy/retention.py"}
