"""Files by key: models and the lake.

A key is a relative path of plain names. A file appears whole or not at all: it is written beside its place, synced, and
renamed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from bespeak.errors import InvalidInput
from bespeak.storage.files import part_of, publish

_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.=-]*$")
_PART = ".part"


class BlobStore:
    """A folder of files by key.

    Args:
        root: the folder; made when missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """Returns where a key's file or folder lies, whether it exists or not.

        Raises:
            InvalidInput: a key that is no path of plain names.
        """
        if not key or not all(_NAME.match(part) for part in key.split("/")):
            raise InvalidInput("A blob's key must be plain names joined by '/'.")
        return self.root / key

    def put(self, key: str, content: bytes | Path) -> int:
        """Writes a file durably and returns its size; a file that is there already is replaced at once."""
        target = self.path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(target)
        if isinstance(content, bytes):
            part.write_bytes(content)
        else:
            shutil.copyfile(content, part)
        publish(part, target)
        return target.stat().st_size

    def keys(self, prefix: str = "") -> list[str]:
        """Returns the keys of all files under a prefix, sorted; unfinished files are not among them."""
        folder = self.path(prefix) if prefix else self.root
        found = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(_PART))
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def delete(self, keys: Iterable[str]) -> int:
        """Deletes files and folders; returns how many were there."""
        n = 0
        for key in keys:
            path = self.path(key)
            if path.is_dir():
                shutil.rmtree(path)
                n += 1
            elif path.exists():
                path.unlink()
                n += 1
        return n
