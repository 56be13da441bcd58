"""Where the documentation is, and how its code blocks are read."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block: what stands behind the fence, and its lines."""

    page: str
    line: int
    kind: str
    text: str


def blocks_of(path: Path) -> list[Block]:
    """Returns the fenced blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(path.name, text[: found.start()].count("\n") + 1, found["kind"].strip(), found["text"])
        for found in BLOCK.finditer(text)
    ]


@pytest.fixture(scope="session")
def docs() -> Path:
    """The folder `docs/`."""
    return DOCS


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return DOCS.parent


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    """The module `docs/generate.py`."""
    sys.path.insert(0, str(DOCS))
    try:
        import generate  # noqa: PLC0415 - a script beside the pages, not a package
    finally:
        sys.path.remove(str(DOCS))
    return generate
