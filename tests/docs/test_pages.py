"""What holds for every page of the documentation."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

import pytest

import bespeak

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(
    r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)|srcset=\"(?P<srcset>[^\"]+)\""
)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
MACHINE = re.compile(r"(?<![\w.\-/])/(?:root|home|Users|tmp|work)/\w")
MODULE = re.compile(r"`(bespeak(?:\.[a-z_]+)+)`")


def anchors(path: Path) -> set[str]:
    """Returns the anchors of a page's headings, made as code hosts make them."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in HEADING.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for found in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
        target = found["target"] or found["image"]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_machines_path(page):
    assert not MACHINE.search(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_that_a_page_names_exists(page):
    for name in set(MODULE.findall(page.read_text(encoding="utf-8"))) - {"bespeak.toml", "bespeak.js", "bespeak.db"}:
        parent, _, last = name.rpartition(".")
        assert find_spec(name) or hasattr(__import__(parent, fromlist=[last]), last), f"{page.name}: {name}"


def test_every_page_is_reached_from_the_front_page_of_the_docs():
    reached, waiting = set(), [ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for found in LINK.finditer(page.read_text(encoding="utf-8")):
            path = (found["target"] or "").partition("#")[0]
            if path and not re.match(r"[a-z]+:", path):
                waiting.append((page.parent / path).resolve())
    assert not {str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")} - {
        str(page.relative_to(ROOT)) for page in reached if page.is_relative_to(ROOT)
    }


def test_the_packages_map_names_every_package():
    named = set(re.findall(r"\b[a-z_]+\b", (bespeak.__doc__ or "").split(">>>")[0]))
    assert {module.name for module in iter_modules(bespeak.__path__) if not module.name.startswith("_")} <= named


@pytest.mark.parametrize("package", ["bespeak", "bespeak.engine", "bespeak.models"])
def test_every_public_name_is_there(package):
    face = import_module(package)
    assert dir(face) == sorted(face.__all__)
    assert all(getattr(face, name) is not None for name in face.__all__)


def test_every_benchmark_is_named_on_the_page_of_figures():
    text = (ROOT / "docs" / "explanation" / "performance.md").read_text(encoding="utf-8")
    scripts = {f"bench/{path.name}" for path in (ROOT / "bench").glob("[a-z]*.py")}
    assert scripts
    assert scripts == set(re.findall(r"`(bench/\w+\.py)`", text))
