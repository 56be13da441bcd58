"""`experiment` and `policy`: lists, reports in words and JSON, pages, and what a wrong word is told."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from bespeak.cli.trying.experiment_page import page
from bespeak.engine.views.experiment_report import (
    ArmReport,
    Compared,
    ExperimentReport,
    MetricReport,
    SubgroupReport,
)
from bespeak.measure.interleaving import preference

TRIAL = """
[experiments.calmer]
placement = "home"
[experiments.calmer.variants.usual]
[experiments.calmer.variants.calm]
settings = { diversity = 0.5 }
"""
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def trial(project, run):
    path = project / "bespeak.toml"
    path.write_text(path.read_text(encoding="utf-8") + TRIAL, encoding="utf-8")
    run("apply")
    return project


def test_an_experiment_is_listed_reported_stopped_and_started(trial, run):
    (row,) = json.loads(run("experiment", "list", "--json").out)
    assert (row["name"], row["state"], row["variants"]) == ("calmer", "running", ["usual", "calm"])
    found = json.loads(run("experiment", "report", "calmer", "--json").out)
    assert found["sentences"][0] == "Nobody has been assigned yet."
    assert [arm["policy"] for arm in found["arms"]] == ["home@1", "home@2"]
    assert "more people" in run("experiment", "report", "calmer").out
    run("experiment", "stop", "calmer")
    assert "stopped" in run("experiment", "list").out
    assert "Was lacking for a lift of 10%" in run("report").out
    page = trial / "calmer.html"
    run("experiment", "report", "calmer", "--html", page)
    assert "was lacking for" in page.read_text(encoding="utf-8")
    assert "still needed" not in page.read_text(encoding="utf-8")
    run("experiment", "start", "calmer")
    assert "running" in run("experiment", "list").out


def test_the_projects_report_names_each_experiment_with_what_is_still_needed(trial, run):
    said = run("report").out
    assert "calmer, running, 0 people: Nobody has been assigned yet." in said
    assert "Still needed for a lift of 10%" in said
    assert json.loads(run("report", "--json").out)["experiments"][0]["name"] == "calmer"


def test_without_an_experiment_the_list_says_how_to_make_one(project, run):
    assert "[experiments.NAME]" in run("experiment", "list").out


def test_wrong_words_are_refused_with_what_there_is(trial, run, tmp_path):
    assert "Known: calmer" in run("experiment", "report", "calm", expect=1).err
    assert "Known: calmer" in run("experiment", "stop", "calm", expect=1).err
    assert "no metric 'joy'" in run("experiment", "plan", "joy", expect=1).err
    assert "too few" in run("experiment", "plan", "calmer", expect=1).err
    assert "--share" in run("experiment", "plan", "calmer", "--share", "1.5", expect=1).err
    assert "cannot be written" in run("experiment", "report", "calmer", "--html", tmp_path, expect=1).err
    assert "Known: 1, 2" in run("policy", "rollback", "home", "9", expect=1).err


def test_versions_are_listed_and_an_older_one_is_gone_back_to(trial, run):
    rows = json.loads(run("policy", "list", "home", "--json").out)
    assert [(row["version"], row["state"], row["what_for"]) for row in rows] == [
        (2, "", "calmer: calm"), (1, "decides", "placement"),
    ]  # fmt: skip
    assert "home@2 decides" in run("policy", "rollback", "home", "2").out
    assert json.loads(run("policy", "list", "home", "--json").out)[0]["state"] == "decides"
    assert "configured" in run("policy", "list").out


def test_without_a_shadow_it_says_how_to_set_one(trial, run):
    assert "has a shadow beside it yet" in run("policy", "shadow", "home").out
    assert "Did you mean 'home'?" in run("policy", "shadow", "hom", expect=1).err


def compared(**more) -> Compared:
    given = {
        "variant": "calm", "n": 900, "mean": 0.24, "difference": 0.09, "difference_interval": (0.03, 0.15),
        "lift": 0.6, "lift_interval": (0.2, 1.1), "p_value": 0.001, "raised_p_value": 0.001, "is_told": True,
        "sentence": "calm converts more often.",
    }  # fmt: skip
    return Compared(**{**given, **more})


def metric(name: str, role: str, *variants: Compared, **more) -> MetricReport:
    given = {
        "metric": name, "title": name, "kind": "proportion", "role": role, "good": "up", "control_n": 900,
        "control_mean": 0.15, "is_early": not variants, "n_least": 12, "is_adjusted": True, "variance_removed": 0.3,
        "variants": list(variants),
    }  # fmt: skip
    return MetricReport(**{**given, **more})


REPORT = ExperimentReport(
    name=EVIL,
    placement="home",
    kind="ab",
    state="running",
    started_ms=1_760_000_000_000,
    arms=[
        ArmReport(variant="usual", is_control=True, share=0.5, policy="home@1", n_assigned=1_000, n_people=900),
        ArmReport(variant="calm", is_control=False, share=0.5, policy="home@2", n_assigned=1_010, n_people=900),
    ],
    sample_ratio=0.8,
    is_broken=False,
    metrics=[
        metric("bought", "primary", compared()),
        metric("paid", "secondary", compared(lift=None, lift_interval=None, is_told=False, return_on_investment=2.0)),
        metric("returned", "guardrail"),
    ],
    subgroups=[
        SubgroupReport(part="first seen", label="newcomers", variant="calm", n=400, control_mean=0.1, mean=0.1,
                       lift=0.0, lift_interval=(-0.2, 0.2), raised_p_value=None),
    ],
    differ_p_values={"first seen": 0.4},
    n_mixed=3,
    without_mixed={"calm": 0.58},
    preference=None,
    smallest_lift=0.1,
    n_more_people=12_000,
    n_more_days=21,
    sentences=["calm converts more often.", EVIL],
)  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"metrics": [], "subgroups": [], "n_more_people": None},
        {"kind": "interleave", "teams": ["usual", "calm"], "metrics": [], "preference": preference([1, 1, -1])},
        {
            "kind": "interleave",
            "teams": ["usual", "calm"],
            "metrics": [],
            "preference": preference([]),
            "started_ms": None,
            "sample_ratio": None,
        },
        {"n_more_days": None},
    ],
)
def test_the_page_holds_every_figure_and_nothing_that_runs(changed):
    text = page(msgspec.structs.replace(REPORT, **changed), "Shop")
    assert "<script" not in text
    assert not re.search(r"\son\w+=|javascript:|https?://", text)
    assert "1,000" in text
    if not changed:
        for said in ("+60.0 %", "+20.0 % to +110.0 %", "bought", "too early", "newcomers", "12,000", "about 21 days"):
            assert said in text, said
