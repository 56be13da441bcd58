"""Backup of a whole project into one file, and its restore.

The erasure ledger and its key lie outside the backup: a restore repeats the erasures made since, so that a copy brings
nobody back.
"""

from __future__ import annotations

import tarfile
from importlib.metadata import version
from pathlib import Path

import msgspec

from bespeak.engine.clock import iso
from bespeak.engine.config import FILE_NAME, parse_config, read_file
from bespeak.engine.core import Core
from bespeak.engine.engine import Engine
from bespeak.engine.project import ProjectFolder
from bespeak.errors import StoreError
from bespeak.storage.backup import Manifest, backup_project, restore_project
from bespeak.storage.blobs import Blobs
from bespeak.storage.open import open_store

_CONFIG_MEMBER = f"extra/{FILE_NAME}"


class BackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup file holds."""

    file: str
    created: str
    release: str
    n_files: int
    n_bytes: int


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore brought back, how many people it erased again, and whether the folder knew the ledger's key.

    Without the key and the ledger of the project that was backed up, later erasures are not known.
    """

    backup: BackedUp
    n_erased_again: int
    knew_ledger: bool


def backup(core: Core, target: Path) -> BackedUp:
    """Writes the store, the lake, the models and `bespeak.toml` to a tar file; everything stays in use meanwhile.

    Raises:
        StoreError: the target exists, or its folder does not.
    """
    core.drain()
    manifest = backup_project(
        core.store,
        core.blobs,
        target,
        now_ms=core.clock.now_ms(),
        release=version("bespeak"),
        extra={FILE_NAME: core.folder.config_path},
    )
    return _described(target, manifest)


def restore(root: Path, source: Path, *, is_confirmed: bool = False) -> Restored:
    """Replaces a project by a backup and repeats the erasures that its ledger remembers.

    A folder without `bespeak.toml` gets that of the backup; else the file there stays, and what is active is the
    backup's.

    Args:
        root: the project folder, made when it is missing.
        source: what `backup` wrote.
        is_confirmed: also when the project holds data, which is lost.

    Raises:
        InvalidInput: the project holds data and `is_confirmed` is not set.
        StoreError: the file is no backup, or is damaged; then nothing was changed.
    """
    folder = ProjectFolder(root.resolve())
    knew_ledger = folder.keys.is_dir() and any(folder.keys.iterdir())
    if not folder.config_path.exists():
        text = _config_in(source)
        parse_config(text)
        for path in (folder.root, folder.root / "data", folder.blobs, folder.ledger, folder.keys):
            path.mkdir(parents=True, exist_ok=True)
        folder.keys.chmod(0o700)
        folder.config_path.write_text(text, encoding="utf-8")
    config = parse_config(read_file(folder.config_path))
    store = open_store(folder.store_url(config.settings.storage.url), migrate=True)
    try:
        manifest = restore_project(store, Blobs(folder.blobs), source, is_confirmed=is_confirmed)
    finally:
        store.close()
    with Engine.open(folder.root) as engine:
        n_erased_again = engine.privacy.reapply_ledger()
    return Restored(backup=_described(source, manifest), n_erased_again=n_erased_again, knew_ledger=knew_ledger)


def _config_in(source: Path) -> str:
    try:
        with tarfile.open(source, "r:") as archive:
            member = archive.extractfile(_CONFIG_MEMBER)
            if member is not None:
                return member.read().decode()
    except FileNotFoundError:
        raise StoreError(f"{source.name} is not there.", hint="Name the file that `bespeak backup` wrote.") from None
    except (OSError, tarfile.TarError, EOFError, KeyError, UnicodeDecodeError):
        pass
    raise StoreError(f"{source.name} is not a backup of Bespeak.", hint="Use another file.")


def _described(path: Path, manifest: Manifest) -> BackedUp:
    return BackedUp(
        file=str(path),
        created=iso(manifest.created_ms),
        release=manifest.release,
        n_files=len(manifest.members),
        n_bytes=sum(member.n_bytes for member in manifest.members),
    )
