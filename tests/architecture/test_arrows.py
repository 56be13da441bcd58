"""Who may import whom. The layers are in pyproject.toml (import-linter); the finer arrows are here."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

INSIDE = {"privacy", "catalogue", "profiles", "segments", "models", "measure", "decide", "learn", "storage"}
"""What the outer rows reach only through `engine`."""

CLOSED_TO = {
    "models": {"storage", "privacy", "catalogue", "profiles", "rules", "intake"},
    "serve": INSIDE | {"simulate"},
    "console": INSIDE,
}
"""Row -> rows below it that it still may not name: models take arrays and ids; HTTP sees the engine, not its stores."""

HOME_OF = {
    "psycopg": ("bespeak.storage.postgres",),
    "apsw": ("bespeak.storage",),
    "ibis": ("bespeak.storage.lake",),
    "sqlglot": ("bespeak.rules",),
    "implicit": ("bespeak.models",),
    "torch": ("bespeak.models.sequences.transformer_training",),
    "faiss": ("bespeak.models.vector_index",),
    "starlette": ("bespeak.web", "bespeak.serve", "bespeak.console", "bespeak.cli"),
    "uvicorn": ("bespeak.serve", "bespeak.cli"),
    "typer": ("bespeak.cli",),
}
"""Package from outside -> the only parts of ours that may know it, so that replacing it is a local change."""

LATE = {"faiss", "psycopg", "bespeak.storage.postgres.store", "bespeak.models.sequences.transformer_training"}
"""Imported inside a function on purpose: they need an extra that an installation may lack."""


def test_the_layers_are_kept(root):
    executable = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([executable, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_arrow_is_caught(tmp_path, root):
    # The contract itself, on a tree that breaks it: a layers list that lets everything pass would stay unseen.
    package = tmp_path / "bespeak"
    for name, line in {"signals": "from bespeak import engine", "engine": "", "errors": ""}.items():
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").write_text(line + "\n")
    (package / "__init__.py").write_text("")
    (tmp_path / "pyproject.toml").write_text((root / "pyproject.toml").read_text(encoding="utf-8"))
    executable = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [executable, "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "bespeak.signals -> bespeak.engine" in done.stdout


@pytest.mark.parametrize("row", CLOSED_TO)
def test_a_row_names_no_row_that_is_closed_to_it(row, imports):
    closed = {f"bespeak.{name}" for name in CLOSED_TO[row]}
    wrong = [
        str(found) for found in imports if found.source.row == row and ".".join(found.target.split(".")[:2]) in closed
    ]
    assert not wrong, f"bespeak.{row} may not import these (see CLOSED_TO)"


@pytest.mark.parametrize("package", HOME_OF)
def test_a_package_from_outside_is_known_only_at_home(package, imports):
    wrong = [
        str(found)
        for found in imports
        if found.target.split(".")[0] == package and not found.source.module.startswith(HOME_OF[package])
    ]
    assert not wrong, f"only {', '.join(HOME_OF[package])} may import {package}"


def test_nothing_is_imported_inside_a_function_but_what_may_be_missing(imports):
    late = [found for found in imports if found.inside_function and found.target not in LATE]
    assert not [str(found) for found in late], "move the type down a layer instead of dodging a cycle"


def test_nothing_imports_what_every_start_would_wait_for(imports):
    wrong = [str(found) for found in imports if f"{found.target}.".startswith("scipy.stats.")]
    assert not wrong, "scipy.stats takes over half a second of every start: scipy.special has the distributions"


def test_every_import_from_outside_is_a_declared_dependency(imports, root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    declared = {canonicalize_name(Requirement(line).name) for line in project["dependencies"] + extras}
    distributions = {"faiss": ["faiss-cpu"]} | packages_distributions()  # an extra may be missing, name and all
    wrong = []
    for found in imports:
        top = found.target.split(".")[0]
        if top == "bespeak" or top in sys.stdlib_module_names:
            continue
        if declared.isdisjoint(canonicalize_name(name) for name in distributions.get(top, [top])):
            wrong.append(str(found))
    assert not wrong, "declare these in pyproject.toml and run `make lock`"


def test_every_pin_of_the_locks_is_inside_its_declared_range(root):
    document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    core = document["project"]["dependencies"] + document["project"]["optional-dependencies"]["postgres"]
    groups = document["dependency-groups"]
    dev = [line for name in ("build", "dev") for line in groups[name] if isinstance(line, str)]
    for lock, lines in {"requirements.txt": core + groups["build"], "requirements-dev.txt": core + dev}.items():
        pins: dict[str, list[str]] = {}
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", (root / lock).read_text(encoding="utf-8"), re.MULTILINE):
            pins.setdefault(name, []).append(version)
        for requirement in map(Requirement, lines):
            versions = pins.get(canonicalize_name(requirement.name), [])
            assert versions, f"{lock} lacks {requirement.name}: run `make lock`"
            assert all(map(requirement.specifier.contains, versions)), f"{lock} pins {versions} against {requirement}"


def test_both_locks_pin_the_same_versions(root):
    core, dev = (
        set(re.findall(r"^[\w.-]+==\S+", (root / lock).read_text(encoding="utf-8"), re.MULTILINE))
        for lock in ("requirements.txt", "requirements-dev.txt")
    )
    assert core <= dev
