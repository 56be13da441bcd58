"""The rooms of a package: its modules and packages. They import one way, in the order that its docstring draws."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

DRAWN = ("bespeak", "bespeak.decide", "bespeak.engine")
"""Packages whose docstring is the order: a row imports only rows below it, and `|` stands between siblings."""

_ROW = re.compile(r"^([a-z_]+(?: \| [a-z_]+)*) {2,}\S")


def rows_of(docstring: str) -> list[list[str]]:
    """The rooms of each row of a drawn order, the topmost first."""
    return [found[1].split(" | ") for line in docstring.splitlines() if (found := _ROW.match(line))]


def arrows_between(package: str, imports: list) -> dict[tuple[str, str], str]:
    """(room, room that it imports) -> one place where it does; imports that wait for an extra are left out."""
    arrows = {}
    for found in imports:
        if found.inside_function or not found.source.module.startswith(f"{package}."):
            continue
        names = [found.target]
        if isinstance(found.node, ast.ImportFrom) and found.node.module == package:
            names = [f"{package}.{alias.name}" for alias in found.node.names]
        room = found.source.module.removeprefix(f"{package}.").split(".")[0]
        for name in names:
            other = name.removeprefix(f"{package}.").split(".")[0]
            if name.startswith(f"{package}.") and other != room:
                arrows[room, other] = str(found)
    return arrows


def against(rows: list[list[str]], arrows: dict[tuple[str, str], str]) -> list[str]:
    """The imports that do not point to a lower row."""
    height = {room: -place for place, row in enumerate(rows) for room in row}
    return [said for (room, other), said in arrows.items() if height[room] <= height[other]]


@pytest.mark.parametrize("package", DRAWN)
def test_the_rooms_of_a_package_stand_in_the_order_that_its_docstring_draws(package, sources, imports):
    docstring = next(ast.get_docstring(source.tree) for source in sources if source.module == package)
    rows = rows_of(docstring or "")
    inside = [
        source.module.removeprefix(f"{package}.") for source in sources if source.module.startswith(f"{package}.")
    ]
    rooms = {module.split(".")[0] for module in inside} - {"__main__"}
    assert sorted(room for row in rows for room in row) == sorted(rooms)
    arrows = {arrow: said for arrow, said in arrows_between(package, imports).items() if rooms.issuperset(arrow)}
    assert not against(rows, arrows), "these import a room beside or above their own"


def test_an_import_upwards_and_one_of_a_sibling_are_caught():
    rows = rows_of("What it is.\n\nover    above all\na | b   two\n        that never meet\nunder   below\n")
    assert rows == [["over"], ["a", "b"], ["under"]]
    said = {("over", "under"): "down", ("under", "a"): "up", ("a", "b"): "beside"}
    assert against(rows, said) == ["up", "beside"]


def test_no_package_has_a_circle_of_rooms(sources, imports):
    circles = {}
    for package in [source.module for source in sources if source.path.name == "__init__.py"]:
        graph = TopologicalSorter()
        for room, other in arrows_between(package, imports):
            graph.add(room, other)
        try:
            graph.prepare()
        except CycleError as error:
            circles[package] = error.args[1]
    assert not circles, "move what both need into a room below"


def test_a_room_does_not_wait_for_all_that_its_package_offers():
    code = (
        "import sys, bespeak.engine.clock, bespeak.models.topk\n"
        "assert not {'bespeak.engine.engine', 'bespeak.storage', 'bespeak.models.base'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
