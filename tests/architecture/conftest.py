"""The source tree as data, for the tests that hold its shape."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"node_modules", "dist", "build", "demo", "__pycache__"}


@dataclass(frozen=True)
class SourceFile:
    """One module of `src/bespeak`, parsed."""

    path: Path
    module: str
    tree: ast.Module

    @property
    def row(self) -> str:
        """The package right below `bespeak` that the module belongs to; empty for `bespeak` itself."""
        parts = self.module.split(".")
        return parts[1] if len(parts) > 1 else ""

    def at(self, node: ast.AST) -> str:
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@dataclass(frozen=True)
class Import:
    """One imported module name, with where it stands and whether that is inside a function."""

    source: SourceFile
    node: ast.stmt
    target: str
    inside_function: bool

    def __str__(self) -> str:
        return f"{self.source.at(self.node)} imports {self.target}"


def _imported_names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    # `from bespeak import storage` names a package as well as `from bespeak.storage import Store` does.
    return [node.module or ""] if node.module != "bespeak" else [f"bespeak.{alias.name}" for alias in node.names]


def _imports_of(source: SourceFile) -> list[Import]:
    found: list[Import] = []

    def visit(node: ast.AST, inside_function: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                found.extend(Import(source, child, name, inside_function) for name in _imported_names(child))
            deeper = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            visit(child, inside_function or deeper)

    visit(source.tree, False)
    return found


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def sources() -> list[SourceFile]:
    """Every module of the package, in the order of their paths."""
    found = []
    for path in sorted((ROOT / "src" / "bespeak").rglob("*.py")):
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(SourceFile(path, module, ast.parse(path.read_text(encoding="utf-8"), str(path))))
    assert len(found) > 1, "no source found: the tests in this folder would all pass on nothing"
    return found


@pytest.fixture(scope="session")
def imports(sources: list[SourceFile]) -> list[Import]:
    return [found for source in sources for found in _imports_of(source)]


@pytest.fixture(scope="session")
def tracked_files() -> list[Path]:
    """The files that a clone holds: from git, or, in an unpacked archive, whatever no tool generated."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not _is_generated(path.relative_to(ROOT))]
    # A file deleted in the working tree is still in the index; a link is judged by what it points to.
    return [path for path in paths if path.is_file()]


def _is_generated(relative: Path) -> bool:
    hidden = [part for part in relative.parts[:-1] if part.startswith(".") and part not in {".ci", ".github"}]
    return bool(hidden) or bool(GENERATED.intersection(relative.parts))
