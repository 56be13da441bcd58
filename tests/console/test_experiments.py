"""The pages on experiments: what is compared, one experiment, and starting and stopping it."""

from __future__ import annotations

import pytest


def test_the_list_shows_each_experiment_with_what_is_still_needed(inside):
    text = inside.get("/console/experiments").text
    assert 'href="/console/experiments/calmer"' in text
    assert "two policies in one slate" in text
    assert "not yet" in text
    assert "people" in text
    assert "Nobody has been assigned yet." in text


def test_the_overview_fetches_its_panel(inside):
    assert 'hx-get="/console/experiments/panel"' in inside.get("/console/").text
    panel = inside.get("/console/experiments/panel", headers={"hx-request": "true"}).text
    assert "calmer" in panel
    assert "<html" not in panel


@pytest.mark.parametrize("name", ["calmer", "duel"])
def test_one_experiment_shows_its_arms(inside, name):
    text = inside.get(f"/console/experiments/{name}").text
    assert "In words" in text
    assert "home@" in text


def test_an_experiment_that_is_not_there_is_not_found(inside):
    answer = inside.get("/console/experiments/calm")
    assert answer.status_code == 404
    assert "calmer" in answer.text


def test_stopping_and_starting_needs_a_form_of_our_own(inside, csrf, shop):
    assert inside.post("/console/experiments/calmer/stop", data={}).status_code == 403
    assert inside.post("/console/experiments/calmer/stop", data={"csrf": csrf}).status_code == 303
    assert "Start it again" in inside.get("/console/experiments/calmer").text
    assert "stopped" in inside.get("/console/experiments").text
    assert inside.post("/console/experiments/calmer/start", data={"csrf": csrf}).status_code == 303
    assert "Stop it" in inside.get("/console/experiments/calmer").text
    assert inside.post("/console/experiments/nope/stop", data={"csrf": csrf}).status_code == 404


def test_versions_of_policies_are_listed_and_any_can_decide(inside, csrf, shop):
    text = inside.get("/console/experiments").text
    assert "Versions of policies" in text
    assert "calmer: " in text
    assert 'action="/console/policies/home/1"' not in text  # it decides
    assert inside.post("/console/policies/home/2", data={}).status_code == 403
    assert inside.post("/console/policies/home/2", data={"csrf": csrf}).status_code == 303
    assert 'action="/console/policies/home/1"' in inside.get("/console/experiments").text
    assert inside.post("/console/policies/home/1", data={"csrf": csrf}).status_code == 303
    assert inside.post("/console/policies/home/99", data={"csrf": csrf}).status_code == 404


def test_nobody_who_is_not_signed_in_sees_or_stops_anything(outside):
    for path in ("/console/experiments", "/console/experiments/panel", "/console/experiments/calmer"):
        assert outside.get(path).status_code == 303
    assert outside.post("/console/experiments/calmer/stop", data={}).status_code == 303
