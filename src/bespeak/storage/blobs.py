"""Files by key, in a folder: models and the lake.

A blob is there whole or not at all: it is written under another name, synced, renamed, and the rename is synced. Blobs
do not change; a new version is a new key. Rows of the transactional store say which blobs count, so a blob without a
row (a process was killed between the two) is an orphan that its owner sweeps.
"""

from __future__ import annotations

import builtins
import io
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path

from bespeak.errors import InvalidInput, StoreError, StoreUnavailable
from bespeak.storage import files

_PART = re.compile(r"[a-z0-9_=-][a-z0-9_=.-]{0,99}")
"""One part of a key. Small letters only, as some file systems do not tell them from capitals."""


class BlobMissing(StoreError):
    """There is nothing under a key; a list that named it may have changed meanwhile."""


class Blobs:
    """A folder of blobs.

    Args:
        folder: made when it is missing.

    Example:
        >>> import tempfile
        >>> blobs = Blobs(Path(tempfile.mkdtemp()))
        >>> blobs.put("models/7/items.npy", b"...")
        >>> blobs.path("models/7/items.npy").read_bytes(), blobs.list("models/")
        (b'...', ['models/7/items.npy'])
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._unique = count()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unavailable(error) from error

    def put(self, key: str, content: bytes | Path) -> None:
        """Stores bytes, or a copy of a file, under a key; durable when it returns. Replaces what was there."""
        target = self._file(key)
        try:
            source = content.open("rb") if isinstance(content, Path) else io.BytesIO(content)
            with source:
                part = self._open_part(target)
                try:
                    with part.open("wb") as file:
                        shutil.copyfileobj(source, file, 1 << 20)
                    files.publish(part, target)
                except BaseException:
                    part.unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise _unavailable(error) from error

    def path(self, key: str) -> Path:
        """Returns the file that holds a blob; raises `BlobMissing` when there is none."""
        file = self._file(key)
        if not file.is_file():
            raise BlobMissing(f"There is no blob {key}.", hint="It may have just been replaced: look again.")
        return file

    def place(self, key: str) -> Path:
        """Returns where a key lies, a file or a folder, whether it is there or not."""
        return self._file(key)

    def holds(self, key: str) -> bool:
        """Returns whether there is a blob under the key."""
        return self._file(key).is_file()

    def delete(self, keys: Iterable[str]) -> int:
        """Removes blobs, durably; returns how many were there. Folders that become empty go as well.

        Another process may remove the same at the same time: what it was faster with counts as gone.
        """
        n_removed = 0
        folders = set()
        try:
            for key in keys:
                file = self._file(key)
                with suppress(FileNotFoundError):
                    file.unlink()
                    n_removed += 1
                    folders.add(file.parent)
            for folder in folders:
                with suppress(FileNotFoundError):
                    files.sync_directory(folder)
                    self._remove_empty(folder)
        except OSError as error:
            raise _unavailable(error) from error
        return n_removed

    def list(self, prefix: str = "") -> list[str]:
        """Returns the keys that start with a prefix, sorted; what is half written has none."""
        start = self.folder.joinpath(*prefix.split("/")[:-1])
        if not start.is_dir():
            return []
        keys = (file.relative_to(self.folder).as_posix() for file in start.rglob("*") if file.is_file())
        return sorted(key for key in keys if key.startswith(prefix) and "/." not in f"/{key}")

    def folders(self, folder: str) -> builtins.list[str]:
        """Returns the keys of the folders in a folder, sorted; those too that hold only what is half written."""
        start = self._file(folder)
        if not start.is_dir():
            return []
        return sorted(f"{folder}/{one.name}" for one in start.iterdir() if one.is_dir() and one.name[0] != ".")

    def delete_folder(self, folder: str) -> None:
        """Removes a folder and everything below it, durably: also what a killed process left half written there."""
        start = self._file(folder)
        try:
            shutil.rmtree(start)
            files.sync_directory(start.parent)
        except FileNotFoundError:  # somebody else removes it too
            return
        except OSError as error:
            raise _unavailable(error) from error

    def sweep(self, folder: str = "") -> int:
        """Removes what killed processes left half written, in a folder or everywhere; returns how many files.

        Call it while nobody else writes there: it cannot tell a slow writer from a dead one.
        """
        start = self._file(folder) if folder else self.folder
        left = [file for file in start.rglob(f".*{files.PART_SUFFIX}") if file.is_file()]
        for file in left:
            file.unlink(missing_ok=True)
        return len(left)

    def size_bytes(self) -> int:
        """Returns how many bytes all blobs take."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def _file(self, key: str) -> Path:
        parts = key.split("/")
        if not all(_PART.fullmatch(part) for part in parts) or len(key) > 400:
            raise InvalidInput(
                "A blob's key is made of parts of small letters, digits and _=.- that do not start with a dot.",
                hint="Parts are divided by /.",
            )
        return self.folder.joinpath(*parts)

    def _open_part(self, target: Path) -> Path:
        """Makes the file that is written first; its folder may be swept away in between as an empty one."""
        part = files.part_of(target.with_name(f"{target.name}.{next(self._unique)}"))
        for attempt in range(5):
            self._make_folder(target.parent)
            try:
                part.touch(exist_ok=False)
            except FileNotFoundError:
                if attempt == 4:
                    raise
            else:
                break
        return part

    def _make_folder(self, folder: Path) -> None:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for one in reversed(missing):
            one.mkdir(exist_ok=True)
            files.sync_directory(one.parent)

    def _remove_empty(self, folder: Path) -> None:
        with suppress(OSError):  # somebody has just put something there
            while folder != self.folder and not any(folder.iterdir()):
                folder.rmdir()
                folder = folder.parent


def _unavailable(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"The folder of blobs cannot be used ({error.strerror}).", hint="Check the disk and the rights on the folder."
    )
