from __future__ import annotations

import itertools

import pytest

from bespeak.profiles.fold import fold
from bespeak.profiles.merge import merge
from bespeak.profiles.profile import Profile
from bespeak.profiles.settings import FoldSettings, Limits
from bespeak.signals.events import Context

MINUTE = 60_000


def _page(saw, minute, path, referrer="", device="mobile"):
    context = Context(page={"path": path}, referrer_class=referrer, device=device)
    return saw(minute * MINUTE, type="page", context=context)


def _folded(observations, settings):
    profile = Profile()
    for observation in observations:
        fold(profile, observation, settings)
    return profile


def test_half_an_hour_joins_and_a_millisecond_more_parts(settings, saw):
    assert len(_folded([saw(0), saw(30 * MINUTE)], settings).sessions) == 1
    assert len(_folded([saw(0), saw(30 * MINUTE + 1)], settings).sessions) == 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_visits_do_not_depend_on_the_order_of_arrival(settings, saw, order):
    pages = [
        _page(saw, 0, "/", "search"),
        _page(saw, 25, "/b"),
        _page(saw, 50, "/c", device="desktop"),
        _page(saw, 200, "/later"),
    ]
    profile = _folded([pages[position] for position in order], settings)
    first, second = profile.sessions
    assert (first.start_ms, first.end_ms, first.n_events, first.n_pages) == (0, 50 * MINUTE, 3, 3)
    assert [page.path for page in first.pages] == ["/", "/b", "/c"]
    assert first.entry is not None
    assert (first.entry.path, first.entry.referrer) == ("/", "search")
    assert first.exit is not None
    assert first.exit.path == "/c"
    assert first.devices == {"mobile": 2, "desktop": 1}
    assert second.start_ms == 200 * MINUTE


@pytest.mark.parametrize("swap", [False, True])
def test_a_long_visit_on_one_device_joins_several_short_ones_on_another(settings, saw, swap):
    short = _folded([saw(minute * MINUTE) for minute in (-100, 10, 60, 110, 400)], settings)
    long = _folded([saw(minute * MINUTE) for minute in range(0, 121, 30)], settings)
    into, other = (long, short) if swap else (short, long)
    merge(into, other, settings)
    assert [(s.start_ms // MINUTE, s.end_ms // MINUTE, s.n_events) for s in into.sessions] == [
        (-100, -100, 1),
        (0, 120, 8),
        (400, 400, 1),
    ]


def test_what_is_no_visit_makes_no_session(settings, saw):
    assert _folded([saw(0, "purchase", "p1", is_visit=False)], settings).sessions == []


def test_a_screen_without_a_path_goes_by_its_name(settings, saw):
    profile = _folded([saw(0, type="screen", name="Home")], settings)
    assert profile.sessions[0].pages[0].path == "Home"


def test_limits_drop_the_oldest_visits_and_paths_and_count_what_is_gone(settings, saw):
    limits = Limits(n_sessions=3, n_page_sessions=2, n_pages=2)
    small = FoldSettings(classes=settings.classes, limits=limits)
    profile = _folded([_page(saw, 100 * n + m, f"/{n}/{m}") for n in range(5) for m in range(3)], small)
    assert [session.start_ms // MINUTE for session in profile.sessions] == [200, 300, 400]
    assert profile.n_older_sessions == 2
    assert [[page.path for page in session.pages] for session in profile.sessions] == [
        [],
        ["/3/1", "/3/2"],
        ["/4/1", "/4/2"],
    ]
    assert profile.sessions[0].entry is not None
    assert profile.sessions[0].entry.path == "/2/0"
