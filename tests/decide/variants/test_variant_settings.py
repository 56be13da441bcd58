"""What a variant placement may say, and what is refused with its key."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.decide.variants.settings import VariantPlacement, variants_from
from bespeak.decide.variants.when import Names
from bespeak.errors import ConfigError


def made(**settings: Any) -> VariantPlacement:
    section = {"kind": "variant", "variants": {"a": {"title": "A"}, "b": 2, "c": None}, **settings}
    return variants_from({"hero": section}, Names(classes=("click",)))["hero"]


def test_the_first_variant_is_the_default_where_none_is_named() -> None:
    assert made().settings.default == "a"
    assert made(default="b").settings.default == "b"


def test_a_list_of_ids_has_the_ids_as_values() -> None:
    assert made(variants=["wide", "narrow"]).settings.variants == {"wide": "wide", "narrow": "narrow"}


def test_what_a_split_leaves_goes_to_the_default() -> None:
    split = made(split={"b": 0.2, "c": 0.3}).experiment(1)
    assert split is not None
    assert split.expected() == {"b": 0.2, "c": 0.3, "a": 0.5}
    whole = made(split={"a": 0.5, "b": 0.5}).experiment(1)
    assert whole is not None
    assert whole.expected() == {"a": 0.5, "b": 0.5}
    assert made().experiment(1) is None


def test_who_is_in_a_share_stays_in_it_while_it_grows() -> None:
    small, large = (made(split={"b": share}).experiment(1) for share in (0.1, 0.3))
    assert small is not None
    assert large is not None
    people = [f"u{n}" for n in range(2_000)]
    held = {person for person in people if small.variant_of(person) == "b"}
    assert 150 < len(held) < 250
    assert all(large.variant_of(person) == "b" for person in held)


def test_another_setting_is_another_version() -> None:
    assert made().digest() == made(default="a").digest()
    assert made().digest() != made(split={"b": 0.1}).digest()
    assert made().digest() != made(variants={"a": {"title": "B"}, "b": 2, "c": None}).digest()


@pytest.mark.parametrize(
    ("settings", "key", "said"),
    [
        ({"sources": []}, "placements.hero", "no setting 'sources'"),
        ({"default": "d"}, "placements.hero.default", "no variant 'd'"),
        ({"split": {"d": 0.5}}, "placements.hero.split.d", "no variant 'd'"),
        ({"split": {"b": 0.7, "c": 0.7}}, "placements.hero.split", "add up to 1.4"),
        ({"split": {"a": 0.2}}, "placements.hero.split", "add up to 0.2"),
        ({"split": {"b": 1.5}}, "placements.hero.split", "<= 1"),
        ({"split": {"b": float("nan")}}, "placements.hero.split", "split"),
        ({"when": ["orders > 1"]}, "placements.hero.when[0]", "is no line"),
        ({"when": ["orders > 1 show d"]}, "placements.hero.when[0]", "no variant 'd'"),
        ({"when": ["orders > 1 show a", "ordres > 1 show b"]}, "placements.hero.when[1]", "no column 'ordres'"),
        ({"variants": {}}, "placements.hero.variants", "0 variants"),
        ({"variants": {"a b": 1}}, "placements.hero.variants", "no id"),
        ({"variants": "a"}, "placements.hero.variants", "variants"),
        ({"launch": 1.0}, "placements.hero.launch", "launch"),
        ({"explore": 0.1}, "placements.hero.explore", "`learn` is not set"),
        ({"learn": "ucb"}, "placements.hero.learn", "ucb"),
        ({"learn": "linucb", "split": {"b": 0.5}}, "placements.hero.split", "given and learned"),
        ({"learn": "linucb", "explore": 0.0}, "placements.hero.explore", "explore"),
        ({"learn": "linucb", "features": ["colour"]}, "placements.hero.features", "no feature 'colour'"),
        ({"learn": "linucb", "features": ["segment.x"]}, "placements.hero.features", "no 'segment.x'"),
        ({"learn": "linucb", "reward": {"wink": 1.0}}, "placements.hero.reward", "no class 'wink'"),
        ({"learn": "linucb", "reward": {}}, "placements.hero.reward", "nothing is worth"),
        ({"learn": "linucb", "dimension": 1}, "placements.hero.dimension", "dimension"),
    ],
)
def test_what_is_wrong_is_refused_with_its_key(settings: dict[str, Any], key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**settings)
    assert caught.value.key == key
    assert said in str(caught.value)
