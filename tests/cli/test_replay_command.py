"""`replay`: what it says of a project without a log, and of words that name no policy."""

from __future__ import annotations

import pytest


def test_without_decisions_there_is_no_figure(run, project):
    ran = run("replay", "popular", "--json", expect=1)
    assert (ran.json["placement"], ran.json["policy"], ran.json["n_logged"]) == ("home", "popular", 0)
    assert ran.json["estimates"] == []
    assert ran.json["refused"] == "No decision of the log can be used."
    assert "No figure" in ran.err
    assert "explore" in ran.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("popula",), "Did you mean 'popular'?"),
        (("popular", "--placement", "hom"), "Did you mean 'home'?"),
        (("popular", "--outcome", "clik"), "Did you mean 'click'?"),
        (("popular", "--assume", "luck"), "Allowed: position, cascade"),
        (("popular", "--estimator", "ipss"), "Did you mean 'ips'?"),
        (("nothing.toml",), "There is no file nothing.toml"),
    ],
)
def test_what_cannot_be_meant_is_refused(run, project, args, said):
    assert said in run("replay", *args, expect=1).err
