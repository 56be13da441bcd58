"""What holds for every file of the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

MAX_BYTES = 1_000_000
MAX_README_LINES = 120

# Written in pieces, so that this file passes its own test.
FORBIDDEN = {
    "a registry's address": re.compile(
        "|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "registry" + r"\.npmjs"])
    ),
    "a machine's path": re.compile(r"(?<![\w.\-/])/(?:" + "|".join(["root", "work", "Users", "opt/pypi"]) + r")/\w"),
    "a document that no clone holds": re.compile(
        "|".join(["DESIGN" + r"\.md", "CRAFT" + r"\.md", r"\.\./" + "shared/"])
    ),
    "a lock file's download address": re.compile('"resolved"' + r'\s*:\s*"http'),
}


def _text(path: Path) -> str:
    """The file as text; empty for a binary one."""
    content = path.read_bytes()
    return "" if b"\0" in content[:8_192] else content.decode("utf-8", errors="replace")


def _hits(pattern: re.Pattern[str], files: list[Path], root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)}:{number}"
        for path in files
        for number, line in enumerate(_text(path).splitlines(), start=1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_holds(what, tracked_files, root):
    assert not _hits(FORBIDDEN[what], tracked_files, root)


def test_no_tracked_file_names_the_folder_it_lies_in(tracked_files, root):
    # Only a deep enough path tells a machine; a container's "/app" is a word like any other.
    own = re.compile(re.escape(str(root)) + r"\b") if len(root.parts) > 2 else re.compile(r"(?!)")
    assert not _hits(own, tracked_files, root)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a registry's address", "index-url = https://" + "pypi" + ".org/simple"),
        ("a machine's path", 'open("' + "/ro" + 'ot/data/x.csv")'),
        ("a document that no clone holds", "see " + "DESIGN" + ".md, section 3"),
        ("a lock file's download address", '"resolved"' + ': "https://example.test/x.tgz"'),
    ],
)
def test_a_forbidden_line_is_found(what, line, tmp_path):
    planted = tmp_path / "planted.txt"
    planted.write_text("harmless\n" + line + "\n")
    assert _hits(FORBIDDEN[what], [planted], tmp_path) == ["planted.txt:2"]


def test_no_tracked_file_is_large(tracked_files, root):
    sizes = {str(path.relative_to(root)): path.stat().st_size for path in tracked_files}
    assert not {name: size for name, size in sizes.items() if size > MAX_BYTES}


def test_the_readme_is_short(root):
    lines = (root / "README.md").read_text(encoding="utf-8").splitlines()
    assert 0 < len(lines) < MAX_README_LINES


def test_the_changelog_has_a_place_for_the_next_change(root):
    headings = re.findall(r"^## \[(.+?)\]", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[:1] == ["Unreleased"] or "0.1.0" in headings


def test_the_changelog_and_the_package_agree_on_the_version(root):
    version = re.search(r'^version = "(.+)"', (root / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version
    assert version[1] in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_vendored_file_is_declared_with_its_licence(root):
    vendored = [path for path in (root / "src").rglob("static/vendor/**/*") if path.is_file()]
    notice = (root / "THIRD_PARTY.md").read_text(encoding="utf-8")
    assert not [str(path.relative_to(root)) for path in vendored if path.name not in notice]


def test_every_target_of_the_makefile_is_explained(root):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    declared = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[1].split())
    explained = set(re.findall(r"^([\w-]+):.*?## \S", makefile, re.MULTILINE))
    assert {"demo", "test", "test-all", "check", "bench", "clean", "help"} <= explained
    assert explained == declared
