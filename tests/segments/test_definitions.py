from __future__ import annotations

import pytest

from bespeak.errors import ConfigError
from bespeak.segments.definitions import compile_segments


def test_a_segment_comes_after_those_it_names():
    rules = {
        "best": "segment.loyal AND in_segment('keen') = 1",
        "loyal": "segment.buyers AND orders >= 3",
        "keen": "views_7d > 5",
        "buyers": "orders >= 1",
    }
    segments = compile_segments(rules, descriptions={"keen": "looks around a lot"})
    names = [segment.name for segment in segments]
    assert sorted(names) == sorted(rules)
    for segment in segments:
        assert all(names.index(needed) < names.index(segment.name) for needed in segment.names)
    best = segments[-1]
    assert (best.name, best.names, best.text) == ("best", {"loyal", "keen"}, rules["best"])
    assert next(s for s in segments if s.name == "keen").description == "looks around a lot"


@pytest.mark.parametrize(
    "rules", [{"a": "segment.a"}, {"a": "segment.b", "b": "in_segment('c') = 1", "c": "NOT segment.a"}]
)
def test_segments_that_name_each_other_in_a_circle_are_refused(rules):
    with pytest.raises(ConfigError, match="circle"):
        compile_segments(rules)


@pytest.mark.parametrize("name", ["", "Best", "1st", "a b", "a.b", "a" * 64, "x'"])
def test_a_name_that_a_rule_could_not_write_is_refused(name):
    with pytest.raises(ConfigError, match="segment name"):
        compile_segments({name: "orders > 1"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("order > 1", "orders"),
        ("segment.nobody", "segment.fans"),
        ("in_segment('nobody') = 1", "fans"),
        ("count('vews', 3) > 1", "view"),
        ("orders", "number"),
        ("orders > ", "fans"),
        ("orders > 1; DROP TABLE x", "fans"),
    ],
)
def test_a_wrong_rule_names_its_key_and_what_is_allowed(text, told):
    with pytest.raises(ConfigError, match=r"segments\.fans") as error:
        compile_segments({"fans": text}, facets=["category"])
    assert told in str(error.value)


def test_traits_need_no_declaration():
    (segment,) = compile_segments({"a": "traits.age > 18 AND traits.plan = 'pro' AND traits.is_member = TRUE"})
    assert segment.rule.columns == {"traits.age", "traits.plan", "traits.is_member"}
