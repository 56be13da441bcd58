"""What holds for every module of the package."""

from __future__ import annotations

import ast

import pytest


def test_every_module_says_what_it_is_for(sources):
    # A module whose name starts with an underscore is private; `__init__` is its package's front page.
    public = [source for source in sources if not source.module.split(".")[-1].startswith("_")]
    silent = [source.at(source.tree) for source in public if not (ast.get_docstring(source.tree) or "").strip()]
    assert not silent, "a module starts with a docstring: what it guarantees, in one line"


def test_only_the_command_line_prints(sources):
    loud = [
        source.at(node)
        for source in sources
        if source.row != "cli"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not loud


def test_only_the_clock_module_reads_the_clock(sources):
    readers = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
    wrong = [
        source.at(node)
        for source in sources
        if source.module != "bespeak.engine.clock"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in readers
    ]
    assert not wrong, "take the time as an argument"


@pytest.mark.parametrize("name", ["utils", "util", "helpers", "common", "manager", "misc"])
def test_no_module_hides_behind_a_name_that_says_nothing(name, sources):
    assert not [source.module for source in sources if name in source.module.split(".")]


def test_no_module_serializes_with_pickle(imports):
    unsafe = {"pickle", "cPickle", "dill", "shelve", "marshal", "joblib", "cloudpickle"}
    assert not [str(found) for found in imports if found.target.split(".")[0] in unsafe]


def test_arrays_run_on_one_thread_in_tests():
    import numpy as np  # noqa: PLC0415 - after conftest has set the environment, which is the claim
    from threadpoolctl import threadpool_info  # noqa: PLC0415

    assert np.ones((2, 2)).sum() == 4
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert pools
    assert {pool["num_threads"] for pool in pools} == {1}
