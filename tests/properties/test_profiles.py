"""Profiles for any history: the order of arrival, the split into devices and the batches do not show."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bespeak.errors import StoreError
from bespeak.profiles.codec import decode, encode
from bespeak.profiles.decay import Decayed, Moments
from bespeak.profiles.fold import fold
from bespeak.profiles.merge import merge
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Profile
from bespeak.profiles.settings import DAY_MS, FoldSettings, Limits
from bespeak.profiles.stored import live_profile, position_of, stored
from bespeak.profiles.sums import all_keys
from bespeak.signals.events import Context
from bespeak.signals.ids import IdKey
from bespeak.signals.signal import Signal, SignalClass

CLASSES = {
    name: SignalClass(name=name, half_life_days=days, prior_weight=weight, purpose=purpose)
    for name, days, weight, purpose in (
        ("view", 3, 1.0, "personalize"),
        ("cart", 30, 3.0, "personalize"),
        ("cart_view", 30, 0.3, "personalize"),
        ("purchase", 180, 5.0, "personalize"),
        ("refund", 90, -4.0, "personalize"),
        ("watch", 60, 3.0, "personalize"),
        ("exposure", 14, 0.0, "measure"),
    )
}
SETTINGS = FoldSettings(
    classes=CLASSES, facets=("category", "brand"), numeric_facets=("price",), limits=Limits(n_page_sessions=50)
)
SMALL = FoldSettings(
    classes=CLASSES,
    facets=("category", "brand"),
    limits=Limits(
        n_recent=4,
        n_items=8,
        n_facet_values=8,
        n_traits=2,
        n_sessions=3,
        n_page_sessions=2,
        n_pages=2,
        n_cart=2,
        n_progress=2,
        n_orders=2,
        n_devices=1,
        n_identities=2,
        window_days=30,
    ),
)

ITEMS = [f"p{n}" for n in range(12)]
FACETS = {
    item: {"category": [f"c{n % 5}"], "brand": [f"b{n}", "own"], "price": 10.0 * n} for n, item in enumerate(ITEMS)
}

times = st.one_of(
    st.integers(0, 5).map(lambda n: n * 20 * 60_000),
    st.integers(0, 20).map(lambda n: n * DAY_MS),
    st.integers(0, 900 * DAY_MS),
)
signals = st.builds(
    Signal,
    name=st.sampled_from(["any", "product_removed"]),
    signal_class=st.sampled_from([*CLASSES, "gone"]),
    strength=st.sampled_from([1.0, 0.25, -0.5, 3.0, 1e6]),
    item_id=st.sampled_from([*ITEMS, ""]),
    value_minor=st.integers(0, 5000),
    currency=st.sampled_from(["EUR", "USD"]),
    quantity=st.sampled_from([1.0, 2.0]),
)
contexts = st.builds(
    Context,
    device=st.sampled_from(["", "mobile", "desktop"]),
    country=st.sampled_from(["", "DE", "FR"]),
    page=st.sampled_from([{}, {"path": "/a"}, {"path": "/b"}]),
    referrer_class=st.sampled_from(["", "search"]),
)
observations = st.builds(
    Observation,
    time_ms=times,
    received_ms=st.integers(0, 3),
    message_id=st.just(""),
    type=st.sampled_from(["track", "page", "identify"]),
    ids=st.lists(
        st.builds(IdKey, st.sampled_from(["user_id", "anonymous_id"]), st.sampled_from("abc")), max_size=2
    ).map(tuple),
    signals=st.lists(signals, max_size=3).map(tuple),
    facets=st.just(FACETS),
    traits=st.dictionaries(st.sampled_from(["plan", "age"]), st.sampled_from(["x", 1, None, ["y"]]), max_size=2),
    context=contexts,
    is_visit=st.booleans(),
    consent=st.sampled_from([None, None, {"share": True}, {"share": False}, {"personalize": True}]),
    order_id=st.sampled_from(["", "o1", "o2", "o3"]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Observation]:
    found = draw(st.lists(observations, max_size=25))
    return [msgspec.structs.replace(o, message_id=f"m{n:03}") for n, o in enumerate(found)]


def folded(history: Sequence[Observation], fold_settings: FoldSettings = SETTINGS) -> Profile:
    profile = Profile()
    for observation in history:
        fold(profile, observation, fold_settings)
    return profile


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Returns where two plain values differ by more than 1e-9, relative to their size."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return [f"{path}: {sorted(map(str, one.keys() ^ other.keys()))}"]
        return [found for key in one for found in differences(one[key], other[key], f"{path}.{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return [f"{path}: {len(one)} against {len(other)}"]
        return [
            found for n, (a, b) in enumerate(zip(one, other, strict=True)) for found in differences(a, b, f"{path}.{n}")
        ]
    if isinstance(one, float) and isinstance(other, float):
        return [] if math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) else [f"{path}: {one} against {other}"]
    return [] if one == other else [f"{path}: {one!r} against {other!r}"]


def assert_equal(one: Profile, other: Profile) -> None:
    names = Profile.__struct_fields__
    pairs = zip(names, msgspec.to_builtins(one), msgspec.to_builtins(other), strict=True)
    assert [found for name, a, b in pairs for found in differences(a, b, name)] == []


@given(histories(), st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_profile(history: list[Observation], rng: random.Random) -> None:
    shuffled = list(history)
    rng.shuffle(shuffled)
    assert_equal(folded(history), folded(shuffled))


@given(histories(), st.lists(st.integers(0, 2), min_size=25, max_size=25))
def test_a_merge_is_what_folding_everything_into_one_gives(history: list[Observation], owners: list[int]) -> None:
    parts = [[o for o, owner in zip(history, owners, strict=False) if owner == part] for part in range(3)]
    a, b, c = (folded(part) for part in parts)
    merge(b, c, SETTINGS)
    merge(a, b, SETTINGS)
    assert_equal(a, folded(history))


@given(histories(), histories())
def test_a_merge_is_the_same_from_either_side(one: list[Observation], other: list[Observation]) -> None:
    other = [msgspec.structs.replace(o, message_id=f"n{o.message_id}") for o in other]
    left, right = folded(one), folded(other)
    merge(left, folded(other), SETTINGS)
    merge(right, folded(one), SETTINGS)
    assert_equal(left, right)


@given(histories())
def test_a_merge_with_nobody_changes_nothing_and_shares_nothing(history: list[Observation]) -> None:
    profile, fresh = folded(history), Profile()
    before = encode(profile)
    merge(fresh, profile, SETTINGS)
    assert_equal(fresh, profile)
    for observation in history:
        fold(fresh, observation, SETTINGS)
    assert encode(profile) == before
    merge(profile, Profile(), SETTINGS)
    assert encode(profile) == before


@given(histories())
def test_what_settles_by_the_last_word_settles_once(history: list[Observation]) -> None:
    once, twice = folded(history), folded(history)
    merge(twice, once, SETTINGS)
    for name in ("first_ms", "last_ms", "identities", "traits", "places", "cart", "cart_set", "progress", "consent",
                 "withdrawn"):  # fmt: skip
        assert getattr(twice, name) == getattr(once, name)
    assert [(s.start_ms, s.end_ms) for s in twice.sessions] == [(s.start_ms, s.end_ms) for s in once.sessions]


@pytest.mark.parametrize("fold_settings", [SETTINGS, SMALL], ids=["within limits", "over limits"])
@given(history=histories(), stored=st.lists(st.booleans(), min_size=25, max_size=25))
def test_a_replay_is_bit_equal_however_often_the_profile_was_stored(
    fold_settings: FoldSettings, history: list[Observation], stored: list[bool]
) -> None:
    live = Profile()
    for observation, is_stored in zip(history, stored, strict=False):
        fold(live, observation, fold_settings)
        if is_stored:
            live = decode(encode(live))
    assert encode(live) == encode(folded(history, fold_settings))


@pytest.mark.parametrize("fold_settings", [SETTINGS, SMALL], ids=["within limits", "over limits"])
@given(history=histories(), stored_at=st.lists(st.booleans(), min_size=26, max_size=26))
def test_a_replay_is_bit_equal_whichever_events_waited_for_the_stored_profile(
    fold_settings: FoldSettings, history: list[Observation], stored_at: list[bool]
) -> None:
    body = stored(Profile(), 0)
    for n_done, is_stored in zip(range(len(history) + 1), stored_at, strict=False):
        live = live_profile(body, fold_settings, history[position_of(body) : n_done])
        assert encode(live) == encode(folded(history[:n_done], fold_settings))
        if is_stored:
            body = stored(live, n_done)


@given(histories(), histories(), st.booleans())
def test_a_replayed_merge_over_the_limits_is_bit_equal(
    one: list[Observation], other: list[Observation], is_stored: bool
) -> None:
    live, replayed = folded(one, SMALL), folded(one, SMALL)
    absorbed = folded(other, SMALL)
    merge(replayed, absorbed, SMALL)
    merge(decode(encode(live)) if is_stored else live, absorbed, SMALL)
    if is_stored:
        live = decode(encode(live))
        merge(live, absorbed, SMALL)
    assert encode(live) == encode(replayed)


@given(histories())
def test_limits_always_hold(history: list[Observation]) -> None:
    profile, limits = Profile(), SMALL.limits
    for observation in history:
        fold(profile, observation, SMALL)
        assert len(all_keys(profile.items)) <= limits.n_items + limits.n_items // 8
        assert all(
            len(all_keys(sums)) <= limits.n_facet_values + limits.n_facet_values // 8
            for sums in profile.affinities.values()
        )
        assert len(profile.recent) <= limits.n_recent
        assert len(profile.sessions) <= limits.n_sessions
        assert all(len(session.pages) <= limits.n_pages for session in profile.sessions)
        assert len(profile.traits) <= limits.n_traits
        assert len(profile.cart) <= limits.n_cart
        assert len(profile.progress) <= limits.n_progress
        assert len(profile.orders.known) <= limits.n_orders
        assert len(profile.devices) <= limits.n_devices
        assert all(len(values) <= limits.n_identities for values in profile.identities.values())
        assert all(len(days) <= limits.window_days for days in profile.counts.values())
        assert profile.recent == sorted(profile.recent)


@given(histories(), st.randoms(use_true_random=False))
def test_the_latest_steps_and_visits_are_kept_in_any_order(history: list[Observation], rng: random.Random) -> None:
    shuffled = list(history)
    rng.shuffle(shuffled)
    one, other = folded(history, SMALL), folded(shuffled, SMALL)
    assert one.recent == other.recent
    assert one.counts == other.counts


@given(histories())
def test_visits_are_the_chains_of_gaps_within_half_an_hour(history: list[Observation]) -> None:
    chains: list[list[int]] = []
    for time_ms in sorted(o.time_ms for o in history if o.is_visit):
        if chains and time_ms - chains[-1][-1] <= 30 * 60_000:
            chains[-1].append(time_ms)
        else:
            chains.append([time_ms])
    found = [(s.start_ms, s.end_ms, s.n_events) for s in folded(history).sessions]
    assert found == [(chain[0], chain[-1], len(chain)) for chain in chains]


finite = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(finite, st.integers(0, 10**13)), min_size=1, max_size=20), st.floats(0.001, 4000))
def test_a_decayed_sum_is_its_formula(events: list[tuple[float, int]], half_life_days: float) -> None:
    rate = 1 / (half_life_days * DAY_MS)
    (strength, time_ms), *rest = events
    decayed, moments = Decayed(strength, time_ms), Moments(1.0, strength, strength**2, time_ms)
    for strength, time_ms in rest:
        decayed.add(strength, time_ms, rate)
        moments.add(strength, time_ms, rate)
    last_ms = max(time_ms for _, time_ms in events)

    def faded(power: int) -> tuple[float, float]:
        terms = [strength**power * 2.0 ** (-(last_ms - time_ms) * rate) for strength, time_ms in events]
        return math.fsum(terms), 1e-9 * (1 + math.fsum(map(abs, terms)))

    for value, power in ((decayed.value, 1), (moments.weight, 0), (moments.total, 1), (moments.squares, 2)):
        expected, tolerance = faded(power)
        assert abs(value - expected) <= tolerance
    assert decayed.last_ms == moments.last_ms == last_ms
    assert decayed.count == moments.count == len(events)


@settings(max_examples=300)
@given(histories(), st.integers(0, 10**6), st.integers(0, 255))
def test_damaged_bytes_are_a_store_error_or_a_profile(history: list[Observation], at: int, byte: int) -> None:
    data = bytearray(encode(folded(history)))
    data[at % len(data)] = byte
    try:
        found = decode(bytes(data))
    except StoreError:
        return
    assert isinstance(found, Profile)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_store_error_or_a_profile(data: bytes) -> None:
    with contextlib.suppress(StoreError):
        assert isinstance(decode(data), Profile)
