"""Blobs: whole or not there, under safe keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from bespeak.errors import InvalidInput, StoreError, StoreUnavailable
from bespeak.storage.blobs import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def test_bytes_and_files_are_stored_and_listed(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"two")
    blobs.put("models/1/a.npy", b"one")
    blobs.put("models/1/b.npy", tmp_path / "source")
    blobs.put("lake/x=1/c.parquet", b"three")
    assert blobs.path("models/1/b.npy").read_bytes() == b"two"
    assert blobs.list() == ["lake/x=1/c.parquet", "models/1/a.npy", "models/1/b.npy"]
    assert blobs.list("models/1/b") == ["models/1/b.npy"]
    assert blobs.list("nothing/") == []
    assert blobs.size_bytes() == 11
    assert (tmp_path / "source").exists()


def test_a_second_put_replaces(blobs: Blobs) -> None:
    blobs.put("a", b"one")
    blobs.put("a", b"two")
    assert blobs.path("a").read_bytes() == b"two"
    assert [file.name for file in blobs.folder.iterdir()] == ["a"]


def test_deleted_blobs_are_gone_with_their_empty_folders(blobs: Blobs) -> None:
    blobs.put("m/1/a", b"one")
    blobs.put("m/2/a", b"one")
    assert blobs.delete(["m/1/a", "m/9/none"]) == 1
    assert not blobs.holds("m/1/a")
    assert not (blobs.folder / "m" / "1").exists()
    with pytest.raises(StoreError, match="no blob"):
        blobs.path("m/1/a")
    assert blobs.delete(["m/2/a"]) == 1
    assert list(blobs.folder.iterdir()) == []
    assert blobs.folder.is_dir()


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "../a", "a/../b", "a//b", ".hidden", "A", "a\\b", "a\0", "ä", "x" * 500]
)
def test_a_key_that_could_lead_elsewhere_is_refused(blobs: Blobs, key: str) -> None:
    for act in (lambda: blobs.put(key, b""), lambda: blobs.path(key), lambda: blobs.delete([key])):
        with pytest.raises(InvalidInput, match="key"):
            act()


def test_what_a_killed_process_left_is_not_listed_and_is_swept(blobs: Blobs) -> None:
    blobs.put("m/a", b"one")
    (blobs.folder / "m" / ".b.123.part").write_bytes(b"half")
    assert blobs.list() == ["m/a"]
    assert blobs.sweep() == 1
    assert [file.name for file in (blobs.folder / "m").iterdir()] == ["a"]


def test_a_folder_goes_with_what_is_half_written_in_it(blobs: Blobs) -> None:
    blobs.put("m/1/a", b"one")
    blobs.put("m/2/a", b"two")
    (blobs.folder / "m" / "1" / ".b.unfinished").mkdir()
    (blobs.folder / "m" / "1" / ".b.unfinished" / "c").write_bytes(b"half")
    assert blobs.list("m/1/") == ["m/1/a"]
    assert blobs.folders("m") == ["m/1", "m/2"]
    blobs.delete_folder("m/1")
    blobs.delete_folder("m/1")  # another process may have been faster
    assert blobs.folders("m") == ["m/2"]
    assert blobs.list() == ["m/2/a"]
    assert blobs.folders("nothing") == []


def test_a_put_that_fails_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        blobs.put("a", tmp_path / "missing")
    assert list(blobs.folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="rights"):
        Blobs(tmp_path / "file" / "blobs")
