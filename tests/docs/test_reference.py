"""What is public is documented, and the documentation is what the code says."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from bespeak.cli.app import program
from bespeak.cli.on_demand import with_all
from bespeak.decide.settings.placements import Placement
from bespeak.engine.settings import Section, Settings
from bespeak.serve.app import App
from bespeak.serve.metrics import exposition
from bespeak.serve.routes import CLOCK_ROUTES, ROUTES
from bespeak.signals.catalogue import SignalCatalogue

_FENCED = re.compile(r"`([^`\n]+)`")


def words(path: Path) -> set[str]:
    """Returns what stands in inline code on a page."""
    return set(_FENCED.findall(path.read_text(encoding="utf-8")))


def test_every_page_made_from_the_code_is_up_to_date(generator, docs):
    stale = [
        path
        for path, text in generator.pages().items()
        if not (docs / path).exists() or (docs / path).read_text(encoding="utf-8") != text
    ]
    assert not stale, "run: make docs-reference"


def test_no_page_of_the_reference_lies_there_that_the_code_does_not_make(generator, docs):
    made = set(generator.pages())
    found = {str(path.relative_to(docs)) for path in [*docs.glob("reference/*.md"), *docs.glob("explanation/models/*")]}
    assert found - made == {"reference/glossary.md"}


def test_every_setting_is_documented(docs):
    known = words(docs / "reference" / "configuration.md")
    text = (docs / "reference" / "configuration.md").read_text(encoding="utf-8")
    for name, hint in get_type_hints(Settings).items():
        assert f"## {name}\n" in text
        if isinstance(hint, type) and issubclass(hint, Section):
            assert set(hint.__struct_encode_fields__) <= known, name


def test_every_setting_has_a_meaning(docs):
    rows = (docs / "reference" / "configuration.md").read_text(encoding="utf-8").splitlines()
    assert not [row for row in rows if row.startswith("| `") and row.endswith("|  |")]


def test_every_setting_of_a_placement_has_a_meaning(docs):
    rows = (docs / "reference" / "placements.md").read_text(encoding="utf-8").splitlines()
    for field in msgspec.structs.fields(Placement):
        if field.name != "name":
            row = next(row for row in rows if row.startswith(f"| `{field.name}` |"))
            assert not row.endswith("|  |")


def commands(command, path="bespeak"):
    nested = getattr(command, "commands", None)
    if nested is None:
        yield path, command
        return
    for name, inner in nested.items():
        yield from commands(inner, f"{path} {name}")


COMMANDS = dict(commands(with_all(program())))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_is_documented_and_explained(path, docs):
    command = COMMANDS[path]
    text = (docs / "reference" / "command-line.md").read_text(encoding="utf-8")
    section = re.search(rf"^##+ {re.escape(path)}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    assert section
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert f"`{parameter.opts[0]}`" in section[1]
        assert parameter.help, f"{path} {parameter.name}"


def test_every_route_is_documented(docs, generator):
    text = (docs / "reference" / "http-api.md").read_text(encoding="utf-8")
    for route in (*ROUTES, *CLOCK_ROUTES):
        assert f"## {route.method} {route.path}\n" in text
    # The rest are plain routes that the application makes itself: every literal path in its table.
    plain = inspect.getsource(App._plain_routes)
    constants = (node.value for node in ast.walk(ast.parse(textwrap.dedent(plain))) if isinstance(node, ast.Constant))
    paths = {value for value in constants if isinstance(value, str) and value.startswith("/")}
    assert "/metrics" in paths
    assert paths <= words(docs / "reference" / "http-api.md")


def test_every_signal_and_class_is_documented(docs):
    catalogue = SignalCatalogue.built_in()
    known = words(docs / "reference" / "signals.md")
    assert {*catalogue.classes, *catalogue.specs, *catalogue.trait_specs, *catalogue.words} <= known


def test_every_metric_is_documented(docs):
    exposed = set(re.findall(r"^# TYPE (bespeak_\w+)", exposition()[0].decode(), re.MULTILINE))
    known = words(docs / "reference" / "metrics.md")
    assert exposed
    assert {name for name in exposed if not name.endswith("_created")} <= known
