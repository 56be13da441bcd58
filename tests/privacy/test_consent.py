"""How consent statements are read, by hand."""

from __future__ import annotations

import pytest

from bespeak.errors import ConfigError, UnknownName
from bespeak.privacy.consent import ConsentRules
from bespeak.signals.purposes import Purposes

DEFAULTS = {"web": ["essential"], "backend": ["essential", "personalize", "measure", "improve"]}


@pytest.fixture
def rules() -> ConsentRules:
    categories = {"Marketing": ["personalize", "share"], "Ads": ["share", "ads"], "Nothing": []}
    return ConsentRules(Purposes(["ads"]), categories, DEFAULTS)


def test_a_statement_speaks_about_every_purpose_but_essential(rules):
    assert rules.statement({"measure": True}) == {
        "personalize": False,
        "measure": True,
        "improve": False,
        "share": False,
        "ads": False,
    }


def test_a_purpose_holds_only_where_every_category_that_means_it_is_true(rules):
    assert rules.statement({"Marketing": True, "Ads": True})["share"]
    assert not rules.statement({"Marketing": True, "Ads": False})["share"]
    assert rules.statement({"Marketing": True, "Ads": False})["personalize"]


def test_an_unmapped_category_grants_nothing_and_is_named(rules):
    said = {"Functional": True, "essential": False, "Nothing": True}
    assert not any(rules.statement(said).values())
    assert rules.unmapped(said) == ["Functional"]


@pytest.mark.parametrize("value", ["true", 1, None, "yes"])
def test_only_true_is_a_yes(rules, value):
    assert not rules.statement({"measure": value})["measure"]


def test_a_category_named_like_a_purpose_means_it_whatever_the_project_says():
    with pytest.raises(ConfigError, match="always means it"):
        ConsentRules(Purposes(), {"measure": ["share"]}, {})
    with pytest.raises(UnknownName):
        ConsentRules(Purposes(), {"Marketing": ["tracking"]}, {})


def test_before_a_word_the_source_decides_and_an_unknown_source_grants_essential_only(rules):
    purposes = rules.purposes
    assert purposes.names(rules.default("web")) == ("essential",)
    assert purposes.names(rules.default("backend")) == ("essential", "personalize", "measure", "improve")
    assert purposes.names(rules.default("who?")) == ("essential",)


def test_a_persons_word_beats_the_sources_default_both_ways(rules):
    purposes = rules.purposes
    assert "personalize" in purposes.names(rules.granted("web", {"personalize": True}))
    assert "personalize" not in purposes.names(rules.granted("backend", {"personalize": False}))
    assert "essential" in purposes.names(rules.granted("backend", {"essential": False}))


def test_global_privacy_control_denies_sharing_whatever_was_granted(rules):
    purposes = rules.purposes
    assert "share" in purposes.names(rules.granted("web", {"share": True}))
    assert "share" not in purposes.names(rules.granted("web", {"share": True}, is_gpc=True))


def test_a_refusal_is_remembered_where_another_source_would_grant_it(rules):
    assert rules.changes({}, {}, is_gpc=False) == {"personalize": False, "measure": False, "improve": False}


def test_a_refusal_that_no_source_would_grant_is_not_kept(rules):
    assert rules.changes({}, None, is_gpc=True) == {}
    assert rules.changes({"share": True}, None, is_gpc=True) == {"share": False}


def test_what_was_said_already_is_not_recorded_again(rules):
    said = {"measure": True}
    first = rules.changes({}, said, is_gpc=False)
    assert first["measure"] is True
    assert rules.changes(first, said, is_gpc=False) == {}
    assert rules.changes(first, {"measure": False}, is_gpc=False) == {"measure": False}


def test_a_request_without_a_statement_changes_nothing(rules):
    assert rules.changes({"measure": True}, None, is_gpc=False) == {}
