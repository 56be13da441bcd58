"""The erasure ledger: keyed hashes of erased ids, kept outside the backup set.

A restored backup brings erased people back; `restore` re-applies the ledger. The key lies in another file, so that the
ledger alone names nobody. Lines are `hash TAB time_ms`, appended and synced before an erasure is acknowledged.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from bespeak.errors import StoreError
from bespeak.privacy.pseudonyms import KEY_BYTES, pseudonym
from bespeak.signals.ids import IdKey


class ErasureLedger:
    """An append-only file of keyed hashes of erased ids.

    Args:
        folder: where `erasures.ledger` lies; made when missing.
        key_folder: where `ledger.key` lies, apart from the ledger; made when missing, readable by the owner only.
    """

    def __init__(self, folder: Path, key_folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        key_folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "erasures.ledger"
        self._key = self._load_key(key_folder / "ledger.key")

    def _load_key(self, path: Path) -> bytes:
        if path.exists():
            key = path.read_bytes()
            if len(key) != KEY_BYTES:
                raise StoreError(f"{path.name} is damaged: it must hold {KEY_BYTES} bytes.", hint="Restore the file.")
            return key
        if self._path.exists():
            raise StoreError(
                f"{path.name} is missing, so the erasure ledger cannot be read.",
                hint="Put the key file back: without it, erased people could return with a restored backup.",
            )
        return _published(path, secrets.token_bytes(KEY_BYTES))

    def _hash(self, key: IdKey) -> str:
        return pseudonym(self._key, f"{key.kind}\x1e{key.value}").hex()

    def add(self, ids: Iterable[IdKey], now_ms: int) -> None:
        """Appends ids, durably."""
        lines = "".join(f"{self._hash(key)}\t{now_ms}\n" for key in sorted(ids))
        with self._path.open("ab+") as file:
            if file.tell() and not self._ends_a_line(file):
                file.write(b"\n")  # a line that a crash tore must not swallow the next one
            file.write(lines.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())

    @staticmethod
    def _ends_a_line(file: BinaryIO) -> bool:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"

    def hashes(self) -> dict[str, int]:
        """Returns hash -> time of the latest erasure; torn lines are ignored."""
        if not self._path.exists():
            return {}
        found: dict[str, int] = {}
        for line in self._path.read_text(encoding="ascii", errors="replace").split("\n")[:-1]:
            digest, _, time = line.partition("\t")
            if len(digest) == 32 and time.isdigit():
                found[digest] = max(int(time), found.get(digest, 0))
        return found

    def erased_among(self, ids: Iterable[IdKey], erased: dict[str, int]) -> dict[IdKey, int]:
        """Returns those of `ids` that the ledger names, with the time of their erasure."""
        return {key: erased[digest] for key in ids if (digest := self._hash(key)) in erased}


def _published(path: Path, key: bytes) -> bytes:
    """Writes a new key file, complete from its first moment on; returns the key of whoever was first."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return path.read_bytes()
    finally:
        draft.unlink()
    return key
