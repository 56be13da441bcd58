"""Numbers and names in the settings of placements: judged when they are made active."""

from __future__ import annotations

import pytest

from bespeak.engine.checks.finding import FAIL, PASS
from bespeak.engine.checks.project import configuration
from bespeak.engine.config import parse_config
from bespeak.engine.values import check_values
from bespeak.errors import ConfigError
from bespeak.storage.tables import records


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("weights = { popular = nan }", r"placements\.shelf\.weights\.popular: is nan"),
        ("min_score = inf", r"placements\.shelf\.min_score: is inf"),
        ("new_days = inf", r"placements\.shelf\.new_days: is inf"),
        ('sources = [{ name = "popular", weight = inf }]', r"placements\.shelf\.sources\[0\]\.weight: is inf"),
        ("weights = { populr = 1.0 }", "no signal 'populr'.*'popular'"),
        ('signs = { "afinity.brand" = "free" }', r"placements\.shelf\.signs: .*'afinity\.brand'"),
        ("hide_seen = { viewed = 7 }", "no signal class 'viewed'"),
        ('about_classes = ["viewed"]', r"placements\.shelf\.about_classes: .*'viewed'"),
        ('facets = ["brnad"]', "no facet 'brnad'.*'brand'"),
        ("shadow = { weights = { fresh = inf } }", r"placements\.shelf\.shadow\.weights\.fresh: is inf"),
    ],
)
def test_a_number_that_is_none_and_a_name_that_stands_for_nothing_are_refused_with_their_key(setting, said):
    with pytest.raises(ConfigError, match=f"bespeak.toml: .*{said}"):
        check_values(parse_config(f"[placements.shelf]\n{setting}\n"))


def test_the_value_of_a_variant_is_a_number_that_json_has():
    with pytest.raises(ConfigError, match=r"placements\.speed\.variants\.fast: is inf"):
        check_values(parse_config('[placements.speed]\nkind = "variant"\nvariants = { slow = 1.0, fast = inf }\n'))


def test_an_arm_of_an_experiment_is_judged_too():
    text = """
        [experiments.try]
        placement = "home"
        [experiments.try.variants.a]
        [experiments.try.variants.b]
        settings = { weights = { populr = 1.0 } }
    """
    with pytest.raises(ConfigError, match=r"home \(try: b\)\.weights: .*'populr'"):
        check_values(parse_config(text))


def test_what_an_earlier_release_took_in_goes_on_and_is_named_by_doctor_until_it_is_mended(make, clock):
    engine = make()
    path = engine.core.folder.config_path
    wrong = path.read_text() + "\n[placements.shelf]\nweights = { populr = 1.0 }\n"
    assert configuration(engine.core).status == PASS
    with engine.core.store.write() as tx:
        records.add_config(tx, clock.now_ms(), "earlier", "x", wrong)
    path.write_text(wrong)
    engine.close()
    again = make()
    assert again.decide("shelf").decision.placement == "shelf"
    found = configuration(again.core)
    assert (found.status, "'populr'" in found.message) == (FAIL, True)
    with pytest.raises(ConfigError, match="populr"):
        again.core.apply()
    path.write_text(wrong.replace("populr", "popular"))
    again.core.apply()
    assert configuration(again.core).status == PASS
