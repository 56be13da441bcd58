"""Backup and restore of a whole project: the store, the models and the lake, in one tar file.

The first member is a manifest with the size and SHA-256 of every other one; restoring checks each of them before it
changes anything. Only blobs that the copy of the store names are taken along. What must not travel with a backup is not
part of it: the ledger of erasures and its key lie outside of store and blobs, so that a restore can repeat the erasures
that came after the backup.
"""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import IO

import msgspec

from bespeak.errors import InvalidInput, StoreError, StoreTooNew, StoreUnavailable
from bespeak.storage import files, migrations
from bespeak.storage.base import Session, Store
from bespeak.storage.blobs import BlobMissing, Blobs
from bespeak.storage.schema import SCHEMA_VERSION

FORMAT = 1
ATTEMPTS = 5
MANIFEST = "manifest.json"
STORE = "store"
BLOBS = "blobs/"
EXTRA = "extra/"
_CHUNK = 1 << 20
_LONGEST_MANIFEST = 1 << 28


class Member(msgspec.Struct, frozen=True):
    """One file of a backup; `name` is `store`, `blobs/<key>` or `extra/<name>`."""

    name: str
    n_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds, and who wrote it.

    Attributes:
        release: the version of Bespeak that wrote it.
        store_kind: `sqlite` or `postgres`; it restores into the same kind.
    """

    format: int
    release: str
    schema: int
    store_kind: str
    created_ms: int
    members: tuple[Member, ...]


def backup_project(
    store: Store,
    blobs: Blobs,
    target: Path,
    *,
    now_ms: int,
    release: str,
    extra: Mapping[str, Path] | None = None,
) -> Manifest:
    """Writes a consistent copy of a project to `target`; everything stays in use meanwhile.

    Args:
        target: the tar file; it must not exist.
        extra: further files to take along, by a plain name (the project's settings).

    Raises:
        StoreError: the target exists, or its folder does not.
        StoreUnavailable: the lake or the models kept changing.
    """
    if target.exists():
        raise StoreError(f"{target.name} exists already.", hint="Name a file that does not exist.")
    if not target.absolute().parent.is_dir():
        raise StoreError(f"The folder of {target.name} does not exist.", hint="Make it first.")
    with _workplace(target) as folder:
        sources = _collect(store, blobs, folder)
        sources |= {f"{EXTRA}{_plain(name)}": path for name, path in (extra or {}).items()}
        members = tuple(Member(name, path.stat().st_size, _digest(path)) for name, path in sorted(sources.items()))
        manifest = Manifest(FORMAT, release, SCHEMA_VERSION, store.kind, now_ms, members)
        part = folder / "backup.tar"
        _write(part, manifest, sources)
        files.publish(part, target)
    return manifest


def restore_project(
    store: Store, blobs: Blobs, source: Path, *, is_confirmed: bool = False, extra: Mapping[str, Path] | None = None
) -> Manifest:
    """Replaces a project by the copy at `source`; everything in it is checked first.

    The caller then repeats the erasures that are in the ledger. A process killed in between leaves the old project or
    the new one, with files that nothing names; restoring again finishes it.

    Args:
        is_confirmed: also when the project holds data, which is lost.
        extra: where further files go, by name; those that are not asked for are left out.

    Raises:
        InvalidInput: the project is not empty and `is_confirmed` is not set.
        StoreTooNew: a newer release wrote the backup.
        StoreError: the file is no backup, is damaged, or is one of another kind of store.
        StoreUnavailable: others are connected to the store.
    """
    if not is_confirmed and not _is_empty(store):
        raise InvalidInput("The project holds data that a restore would replace.", hint="Confirm it with --yes.")
    with _workplace(blobs.folder) as folder:
        manifest = _unpack(source, folder)
        if manifest.store_kind != store.kind:
            raise StoreError(
                f"This is a backup of a {manifest.store_kind} store, the project's store is {store.kind}.",
                hint="Export and import the events to change the kind of store.",
            )
        kept = set()
        for number, member in enumerate(manifest.members):
            if member.name.startswith(BLOBS):
                key = member.name.removeprefix(BLOBS)
                blobs.put(key, folder / str(number))
                kept.add(key)
        names = [member.name for member in manifest.members]
        store.restore(folder / str(names.index(STORE)))
        migrations.migrate(store)
        blobs.delete(key for key in blobs.list() if key not in kept)
        for name, path in (extra or {}).items():
            if f"{EXTRA}{name}" in names:
                part = files.part_of(path)
                shutil.copyfile(folder / str(names.index(f"{EXTRA}{name}")), part)
                files.publish(part, path)
    return manifest


def read_manifest(source: Path) -> Manifest:
    """Returns the manifest of a backup, without checking the rest."""
    with _opened(source) as archive:
        return _manifest(archive, source)


# -- writing -----------------------------------------------------------------------------------------------------------
def _collect(store: Store, blobs: Blobs, folder: Path) -> dict[str, Path]:
    """Copies the store and the blobs that it names; again when these changed meanwhile."""
    for attempt in range(ATTEMPTS):
        place = folder / f"attempt-{attempt}"
        place.mkdir()
        with store.read() as session:
            before = _named(session)
        copy = place / STORE
        store.backup(copy)
        sources = {STORE: copy}
        try:
            for number, key in enumerate(_keys(blobs, before)):
                sources[f"{BLOBS}{key}"] = place / str(number)
                shutil.copyfile(blobs.path(key), place / str(number))
        except (BlobMissing, FileNotFoundError):
            shutil.rmtree(place)
            continue
        with store.read() as session:
            if _named(session) == before:
                return sources
        shutil.rmtree(place)
    raise StoreUnavailable("The lake or the models kept changing during the backup.", hint="Retry.")


def _named(session: Session) -> tuple[set[str], set[str]]:
    """Returns the keys of the lake's live files, and the keys or folders of the models."""
    lake = {str(row[0]) for row in session.rows("SELECT blob_key FROM lake_files WHERE state = 'live'")}
    return lake, {str(row[0]) for row in session.rows("SELECT blob_key FROM models")}


def _keys(blobs: Blobs, named: tuple[set[str], set[str]]) -> list[str]:
    lake, models = named
    return sorted(lake.union(*(blobs.list(f"{model}/") or [model] for model in models)))


def _write(part: Path, manifest: Manifest, sources: Mapping[str, Path]) -> None:
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as archive:
        content = msgspec.json.encode(manifest)
        archive.addfile(_info(MANIFEST, len(content)), io.BytesIO(content))
        for member in manifest.members:
            with sources[member.name].open("rb") as source:
                archive.addfile(_info(member.name, member.n_bytes), source)


def _info(name: str, n_bytes: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = n_bytes
    info.mode = 0o600
    return info


# -- reading -----------------------------------------------------------------------------------------------------------
def _unpack(source: Path, folder: Path) -> Manifest:
    """Writes every member under its number into the folder, checked against the manifest."""
    with _opened(source) as archive:
        manifest = _manifest(archive, source)
        if manifest.format > FORMAT or manifest.schema > SCHEMA_VERSION:
            raise StoreTooNew(
                f"{source.name} was written by release {manifest.release}, which is newer.",
                hint="Install that release, then restore.",
            )
        for number, member in enumerate(manifest.members):
            info = archive.next()
            content = archive.extractfile(info) if info is not None and info.name == member.name else None
            if content is None:
                raise _damaged(source)
            with (folder / str(number)).open("xb") as target:
                if _copy(content, target) != (member.n_bytes, member.sha256):
                    raise _damaged(source)
        if not any(member.name == STORE for member in manifest.members):
            raise _damaged(source)
    return manifest


@contextmanager
def _opened(source: Path) -> Iterator[tarfile.TarFile]:
    if not source.is_file():
        raise StoreError(f"{source.name} is not there.", hint="Name the file that `bespeak backup` wrote.")
    try:
        with tarfile.open(source, "r:") as archive:
            yield archive
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(source) from error


def _manifest(archive: tarfile.TarFile, source: Path) -> Manifest:
    info = archive.next()
    content = archive.extractfile(info) if info is not None and info.name == MANIFEST else None
    if content is None:
        raise StoreError(f"{source.name} is not a backup of Bespeak.", hint="Use another file.")
    try:
        return msgspec.json.decode(content.read(_LONGEST_MANIFEST), type=Manifest)
    except msgspec.DecodeError as error:
        raise _damaged(source) from error


def _damaged(source: Path) -> StoreError:
    return StoreError(f"{source.name} is damaged or not whole; nothing was restored.", hint="Use another backup.")


def _copy(content: IO[bytes], target: IO[bytes]) -> tuple[int, str]:
    digest, n_bytes = sha256(), 0
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
        target.write(chunk)
        n_bytes += len(chunk)
    return n_bytes, digest.hexdigest()


# -- both --------------------------------------------------------------------------------------------------------------
def _digest(path: Path) -> str:
    with path.open("rb") as content:
        digest = sha256()
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _plain(name: str) -> str:
    if not name or "/" in name or "\\" in name or name.startswith("."):
        raise InvalidInput("An extra file of a backup has a plain name.", hint="Leave out folders and leading dots.")
    return name


def _is_empty(store: Store) -> bool:
    with store.read() as session:
        tables = ("events", "persons", "items", "decisions", "models")
        return all(session.row(f"SELECT 1 FROM {table} LIMIT 1") is None for table in tables)  # noqa: S608  our names


@contextmanager
def _workplace(beside: Path) -> Iterator[Path]:
    """A folder on the same disk, so that finished files can be renamed; removed at the end with all it holds."""
    folder = Path(mkdtemp(prefix=".backup-", suffix=files.PART_SUFFIX, dir=beside.absolute().parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
