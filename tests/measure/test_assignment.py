"""Assignment: the published hash values, stable ramps, disjoint namespaces, and shares as declared."""

from __future__ import annotations

from collections import Counter

import pytest
from growthbook.core import chooseVariation, gbhash, getBucketRanges
from hypothesis import given
from hypothesis import strategies as st

from bespeak.errors import InvalidInput
from bespeak.measure.assignment import Experiment, Namespace, bucket

UNITS = [f"person-{n}" for n in range(20_000)]
HALVES = (("control", 0.5), ("treated", 0.5))


@pytest.mark.parametrize(
    ("seed", "unit", "number"),
    [
        # The hash cases of GrowthBook's public conformance file (cases.json, version 2).
        ("seed", "a", 0.0505),
        ("seed", "b", 0.2696),
        ("foo", "ab", 0.2575),
        ("foo", "def", 0.2019),
        ("90850943850283058242805", "123", 0.7516),
        ("()**(%$##$%#$#", '___)((*":&', 0.0128),
        # Buckets of its feature cases with hash version 2.
        ("feature", "123", 0.5231),
        ("experiment", "1", 0.4413),
        ("holdout", "1", 0.8043),
    ],
)
def test_the_hash_gives_the_published_numbers(seed: str, unit: str, number: float) -> None:
    assert bucket(seed, unit) == number


@given(seed=st.text(max_size=20), unit=st.text(max_size=20))
def test_the_hash_is_that_of_growthbooks_own_client(seed: str, unit: str) -> None:
    assert bucket(seed, unit) == gbhash(seed, unit, 2)


@given(
    unit=st.text(min_size=1, max_size=10),
    weights=st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any),
    coverage=st.floats(0, 1),
)
def test_a_variant_is_that_of_growthbooks_own_client(unit: str, weights: list[int], coverage: float) -> None:
    shares = [weight / sum(weights) for weight in weights]
    trial = Experiment("t", [(str(n), share) for n, share in enumerate(shares)], coverage=coverage)
    number = chooseVariation(bucket("t", unit), getBucketRanges(len(shares), coverage, shares))
    assert trial.variant_of(unit) == (str(number) if number >= 0 else None)


def test_shares_are_as_declared() -> None:
    trial = Experiment("t", (("a", 0.2), ("b", 0.3), ("c", 0.5)))
    counts = Counter(trial.variant_of(unit) for unit in UNITS)
    for name, weight in trial.variants:
        assert abs(counts[name] / len(UNITS) - weight) < 4 * (weight * (1 - weight) / len(UNITS)) ** 0.5


def test_a_ramp_only_adds_people() -> None:
    held = {unit: Experiment("t", HALVES, coverage=0.1).variant_of(unit) for unit in UNITS}
    wider = Experiment("t", HALVES, coverage=0.6)
    assert all(wider.variant_of(unit) == variant for unit, variant in held.items() if variant)
    assert sum(wider.variant_of(unit) is not None for unit in UNITS) > sum(v is not None for v in held.values())


def test_nobody_is_in_two_experiments_of_a_namespace() -> None:
    one = Experiment("one", HALVES, namespace=Namespace("page", 0.0, 0.4))
    two = Experiment("two", HALVES, namespace=Namespace("page", 0.4, 1.0))
    assert not any(one.variant_of(unit) and two.variant_of(unit) for unit in UNITS)
    assert abs(sum(one.variant_of(unit) is not None for unit in UNITS) / len(UNITS) - 0.4) < 0.02


def test_a_smaller_first_variant_of_the_same_seed_lies_within_a_larger_one() -> None:
    half = Experiment("launch", HALVES, seed="home")
    few = Experiment("holdout", (("control", 0.05), ("treated", 0.95)), seed="home")
    assert all(half.variant_of(unit) == "control" for unit in UNITS if few.variant_of(unit) == "control")


def test_two_experiments_are_independent() -> None:
    both = Counter((Experiment("x", HALVES).variant_of(u), Experiment("y", HALVES).variant_of(u)) for u in UNITS)
    assert all(abs(n / len(UNITS) - 0.25) < 0.015 for n in both.values())


def test_an_empty_id_takes_no_part() -> None:
    assert Experiment("t", HALVES).variant_of("") is None


@pytest.mark.parametrize(
    "variants", [(), (("a", 0.5), ("a", 0.5)), (("a", 0.5), ("b", 0.6)), (("a", -0.5), ("b", 1.5))]
)
def test_variants_that_make_no_experiment_are_refused(variants: tuple[tuple[str, float], ...]) -> None:
    with pytest.raises(InvalidInput):
        Experiment("t", variants)


def test_ranges_out_of_bounds_are_refused() -> None:
    with pytest.raises(InvalidInput, match="coverage"):
        Experiment("t", HALVES, coverage=1.5)
    with pytest.raises(InvalidInput, match="namespace"):
        Namespace("n", 0.5, 0.5)
