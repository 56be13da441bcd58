"""How much of an item was played."""

from __future__ import annotations

from bespeak.profiles.fold import fold
from bespeak.profiles.merge import merge
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Profile
from bespeak.profiles.settings import FoldSettings, Limits
from bespeak.profiles.view import ProfileView
from bespeak.profiles.withdrawal import withdraw
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.signal import Signal

SETTINGS = FoldSettings(classes=SignalCatalogue.built_in().classes, limits=Limits(n_progress=2))


def told(item: str, part: float, time_ms: int, signal_class: str = "progress") -> Observation:
    signal = Signal("any", signal_class, part, item)
    return Observation(time_ms=time_ms, received_ms=time_ms, message_id=f"m{time_ms}", signals=(signal,))


def profile_of(*observations: Observation) -> Profile:
    profile = Profile()
    for observation in observations:
        fold(profile, observation, SETTINGS)
    return profile


def parts(profile: Profile) -> dict[str, float]:
    return {item: line.fraction for item, line in profile.progress.items()}


def test_the_latest_word_counts_however_late_it_comes_in() -> None:
    assert parts(profile_of(told("film", 0.2, 1), told("film", 0.7, 2))) == {"film": 0.7}
    assert parts(profile_of(told("film", 0.7, 2), told("film", 0.2, 1))) == {"film": 0.7}
    assert parts(profile_of(told("film", 0.7, 1), told("film", 0.1, 2))) == {"film": 0.1}  # went back to the beginning


def test_a_word_without_a_position_says_nothing() -> None:
    assert parts(profile_of(told("film", 0.4, 1), told("film", 0.0, 2))) == {"film": 0.4}


def test_watching_to_the_end_is_all_of_it() -> None:
    assert parts(profile_of(told("film", 0.4, 1), told("film", 1.0, 2, "watch"))) == {"film": 1.0}


def test_starting_and_viewing_say_nothing_of_how_much() -> None:
    assert parts(profile_of(told("film", 1.0, 1, "play"), told("film", 1.0, 2, "view"))) == {}


def test_the_oldest_go_first_and_a_merge_keeps_the_latest_word() -> None:
    profile = profile_of(told("a", 0.1, 1), told("b", 0.2, 2), told("c", 0.3, 3))
    assert parts(profile) == {"b": 0.2, "c": 0.3}
    merge(profile, profile_of(told("c", 0.9, 1), told("d", 0.4, 4)), SETTINGS)
    assert parts(profile) == {"c": 0.3, "d": 0.4}


def test_a_withdrawn_purpose_takes_it_and_a_view_without_the_purpose_does_not_show_it() -> None:
    profile = profile_of(told("film", 0.4, 1))
    assert set(ProfileView(profile, SETTINGS, 9, purposes={"personalize"}).progress()) == {"film"}
    assert ProfileView(profile, SETTINGS, 9, purposes={"measure"}).progress() == {}
    withdraw(profile, "personalize", 5, SETTINGS)
    assert profile.progress == {}
