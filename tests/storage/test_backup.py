"""Backup and restore of a project, on both stores."""

from __future__ import annotations

import tarfile
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from bespeak.errors import InvalidInput, StoreError, StoreTooNew, StoreUnavailable
from bespeak.storage.backup import Manifest, backup_project, read_manifest, restore_project
from bespeak.storage.base import Store
from bespeak.storage.blobs import Blobs
from bespeak.storage.lake import Lake
from bespeak.storage.schema import SCHEMA_VERSION


def decisions(name: str) -> pa.Table:
    return pa.table(
        {"decision_id": [name], "person_id": [1], "time_ms": [1], "placement": ["home"], "mode": ["m"],
         "policy": ["p"], "item_id": ["i"], "position": [1], "score": [0.5], "propensity": [1.0], "purposes": [1]}
    )  # fmt: skip


def fill(store: Store, blobs: Blobs, name: str) -> None:
    """One person, one row in the lake and one model, all by a name."""
    blobs.put(f"models/{name}/array.npy", name.encode() * 1000)
    with store.write() as tx:
        person = tx.reserve("persons", 1)[0]
        tx.insert("persons", ("person_id", "root_id", "created_ms"), [(person, person, 1)])
        Lake(store, blobs).append(tx, "decisions", decisions(name), 1, 1)
        columns = ("version", "name", "state", "created_ms", "blob_key", "header")
        tx.insert("models", columns, [(tx.reserve("models", 1)[0], name, "current", 1, f"models/{name}", b"{}")])


def content(store: Store, blobs: Blobs) -> tuple[object, ...]:
    with store.read() as session:
        people = session.rows("SELECT person_id FROM persons ORDER BY person_id")
        models = session.rows("SELECT name FROM models ORDER BY version")
    lake = Lake(store, blobs).read("decisions", ["decision_id"]).column("decision_id").to_pylist()
    return people, models, sorted(lake), [(key, blobs.path(key).read_bytes()) for key in blobs.list()]


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "project" / "blobs")


@pytest.fixture
def backup(store: Store, blobs: Blobs, tmp_path: Path) -> Path:
    fill(store, blobs, "first")
    (tmp_path / "bespeak.toml").write_text("now = 'data'")
    target = tmp_path / "backup.tar"
    backup_project(store, blobs, target, now_ms=7, release="1.2.3", extra={"bespeak.toml": tmp_path / "bespeak.toml"})
    return target


def test_a_restored_project_is_the_one_that_was_backed_up(
    store: Store, blobs: Blobs, backup: Path, tmp_path: Path
) -> None:
    before = content(store, blobs)
    fill(store, blobs, "second")
    assert content(store, blobs) != before
    manifest = restore_project(
        store, blobs, backup, is_confirmed=True, extra={"bespeak.toml": tmp_path / "settings", "none": tmp_path / "n"}
    )
    assert content(store, blobs) == before
    assert (tmp_path / "settings").read_text() == "now = 'data'"
    assert not (tmp_path / "n").exists()
    assert (manifest.release, manifest.created_ms, manifest.schema) == ("1.2.3", 7, SCHEMA_VERSION)
    assert manifest == read_manifest(backup)


def test_nothing_else_is_left_of_a_backup_or_a_restore(
    store: Store, blobs: Blobs, backup: Path, tmp_path: Path
) -> None:
    def hidden() -> list[Path]:
        return [path for path in tmp_path.rglob("*") if path.name.startswith(".")]

    assert hidden() == []
    restore_project(store, blobs, backup, is_confirmed=True)
    assert hidden() == []


def test_only_what_the_store_names_is_taken_along(store: Store, blobs: Blobs, tmp_path: Path) -> None:
    fill(store, blobs, "first")
    blobs.put("models/dropped/array.npy", b"of somebody who was erased")
    blobs.put("lake/decisions/orphan.parquet", b"of somebody who was erased")
    manifest = backup_project(store, blobs, tmp_path / "b.tar", now_ms=1, release="1")
    assert b"erased" not in (tmp_path / "b.tar").read_bytes()
    assert len(manifest.members) == 3


def test_a_project_with_data_is_replaced_only_when_confirmed(store: Store, blobs: Blobs, backup: Path) -> None:
    before = content(store, blobs)
    with pytest.raises(InvalidInput, match="--yes"):
        restore_project(store, blobs, backup)
    assert content(store, blobs) == before
    with store.write() as tx:
        for table in ("persons", "models", "lake_files"):
            tx.run(f"DELETE FROM {table}")
    restore_project(store, blobs, backup)
    assert content(store, blobs) == before


def test_a_backup_overwrites_nothing(store: Store, blobs: Blobs, backup: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="exists"):
        backup_project(store, blobs, backup, now_ms=1, release="1")
    with pytest.raises(StoreError, match="folder"):
        backup_project(store, blobs, tmp_path / "none" / "b.tar", now_ms=1, release="1")


def test_a_damaged_backup_changes_nothing(store: Store, blobs: Blobs, backup: Path, tmp_path: Path) -> None:
    fill(store, blobs, "second")
    before = content(store, blobs)
    whole = backup.read_bytes()
    with tarfile.open(backup) as archive:
        middles = [info.offset_data + info.size // 2 for info in archive]
    assert len(middles) == 5
    damaged = tmp_path / "damaged.tar"
    for middle in middles:
        damaged.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        with pytest.raises(StoreError):
            restore_project(store, blobs, damaged, is_confirmed=True)
    for length in (0, 100, len(whole) // 3, middles[-1]):
        damaged.write_bytes(whole[:length])
        with pytest.raises(StoreError):
            restore_project(store, blobs, damaged, is_confirmed=True)
    with pytest.raises(StoreError, match="not there"):
        restore_project(store, blobs, tmp_path / "none.tar", is_confirmed=True)
    assert content(store, blobs) == before


def rewritten(backup: Path, **changes: object) -> Path:
    """A copy whose manifest says something else."""
    target = backup.with_name("rewritten.tar")
    with tarfile.open(backup) as old, tarfile.open(target, "w") as new:
        for info in old:
            member = old.extractfile(info)
            assert member is not None
            if info.name == "manifest.json":
                manifest = msgspec.structs.replace(read_manifest(backup), **changes)
                path = backup.with_name("manifest")
                path.write_bytes(msgspec.json.encode(manifest))
                new.add(path, "manifest.json")
            else:
                new.addfile(info, member)
    return target


def test_a_newer_backup_is_refused(store: Store, blobs: Blobs, backup: Path) -> None:
    before = content(store, blobs)
    for change in ({"schema": SCHEMA_VERSION + 1}, {"format": 2}):
        with pytest.raises(StoreTooNew, match=r"1\.2\.3"):
            restore_project(store, blobs, rewritten(backup, **change), is_confirmed=True)
    assert content(store, blobs) == before


def test_a_backup_of_another_kind_of_store_is_refused(store: Store, blobs: Blobs, backup: Path) -> None:
    other = {"sqlite": "postgres", "postgres": "sqlite"}[store.kind]
    with pytest.raises(StoreError, match=f"backup of a {other} store"):
        restore_project(store, blobs, rewritten(backup, store_kind=other), is_confirmed=True)


def test_a_member_that_leads_elsewhere_is_refused(store: Store, blobs: Blobs, backup: Path, tmp_path: Path) -> None:
    manifest: Manifest = read_manifest(backup)
    target = tmp_path / "evil.tar"
    members = []
    with tarfile.open(backup) as old, tarfile.open(target, "w") as new:
        for member in manifest.members:
            name = member.name if member.name == "store" else "blobs/../../evil"
            members.append(msgspec.structs.replace(member, name=name))
        (tmp_path / "manifest").write_bytes(
            msgspec.json.encode(msgspec.structs.replace(manifest, members=tuple(members)))
        )
        new.add(tmp_path / "manifest", "manifest.json")
        for info, member in zip(list(old)[1:], members, strict=True):
            file = old.extractfile(info)
            info.name = member.name
            new.addfile(info, file)
    with pytest.raises(InvalidInput, match="key"):
        restore_project(store, blobs, target, is_confirmed=True)
    assert not list(tmp_path.rglob("evil"))


def test_a_backup_waits_for_the_lake_to_hold_still(
    store: Store, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, blobs, "first")
    copy, n_changes = store.backup, 0

    def changing(target: Path) -> None:
        nonlocal n_changes
        copy(target)
        if n_changes < limit:
            n_changes += 1
            with store.write() as tx:
                Lake(store, blobs).append(tx, "decisions", decisions(f"late {n_changes}"), n_changes, n_changes)

    limit = 2
    monkeypatch.setattr(store, "backup", changing)
    backup_project(store, blobs, tmp_path / "b.tar", now_ms=1, release="1")
    n_changes, limit = 2, 100
    with pytest.raises(StoreUnavailable, match="kept changing"):
        backup_project(store, blobs, tmp_path / "c.tar", now_ms=1, release="1")
    assert not (tmp_path / "c.tar").exists()
    monkeypatch.undo()
    before = content(store, blobs)
    restore_project(store, blobs, tmp_path / "b.tar", is_confirmed=True)
    assert content(store, blobs)[2] == ["first", "late 1", "late 2"]
    assert before != content(store, blobs)
