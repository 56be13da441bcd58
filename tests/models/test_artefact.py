import json

import numpy as np
import pytest

from bespeak.errors import InvalidInput, StoreError, StoreTooNew, UnknownName
from bespeak.models import Ease, Interactions, UserNeighbours
from bespeak.models.artefact import load, overwrite, read_header, save


@pytest.fixture
def version(tmp_path):
    save(Ease(l2=2.0).fit(Interactions.from_events(["a", "a"], ["x", "né"])), tmp_path / "models" / "v1", created_ms=7)
    return tmp_path / "models" / "v1"


def rewrite(version, **changes) -> None:
    header = json.loads((version / "header.json").read_text()) | changes
    (version / "header.json").write_text(json.dumps(header))


def test_arrays_are_mapped_not_read(version) -> None:
    assert isinstance(load(version).model.arrays()["weights"], np.memmap)


def test_nothing_unfinished_stays_beside_a_version(version) -> None:
    assert [path.name for path in version.parent.iterdir()] == ["v1"]


def test_a_crash_in_the_middle_leaves_no_version_and_the_next_save_works(tmp_path, monkeypatch) -> None:
    model = Ease().fit(Interactions.from_events(["a"], ["x"]))
    with monkeypatch.context() as broken:
        broken.setattr("pathlib.Path.rename", lambda *_: (_ for _ in ()).throw(OSError("disk gone")))
        with pytest.raises(OSError, match="disk gone"):
            save(model, tmp_path / "v1")
    assert not (tmp_path / "v1").exists()
    save(model, tmp_path / "v1")
    assert load(tmp_path / "v1").header.model == "ease"


def test_a_version_is_never_overwritten(version) -> None:
    with pytest.raises(InvalidInput, match="already"):
        save(load(version).model, version)


def test_an_unfitted_model_is_not_saved(tmp_path) -> None:
    with pytest.raises(InvalidInput, match="not fitted"):
        save(Ease(), tmp_path / "v1")
    assert not (tmp_path / "v1").exists()


def test_a_newer_format_is_refused(version) -> None:
    rewrite(version, format_version=99)
    with pytest.raises(StoreTooNew, match="format 99"):
        read_header(version)


def test_an_unknown_model_is_refused_by_name(version) -> None:
    rewrite(version, model="oracle")
    with pytest.raises(UnknownName, match="oracle"):
        load(version)


def test_an_array_name_cannot_leave_the_folder(version) -> None:
    rewrite(version, arrays=["../../secret"])
    with pytest.raises(StoreError, match="no file name"):
        load(version)


@pytest.mark.parametrize("broken", ["header.json", "weights.npy", "item_ids_utf8.npy"])
def test_a_missing_file_is_a_store_error(version, broken: str) -> None:
    (version / broken).unlink()
    with pytest.raises(StoreError, match="v1"):
        load(version)


def test_pickled_arrays_are_refused(version) -> None:
    np.save(version / "weights.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(StoreError, match="damaged"):
        load(version)


def test_settings_of_another_release_are_refused_with_the_known_ones(version) -> None:
    rewrite(version, settings={"lambda": 3})
    with pytest.raises(InvalidInput, match="l2, weighting, precision"):
        load(version)


def test_a_rewritten_version_keeps_its_header_and_nothing_of_the_old_arrays(tmp_path) -> None:
    log = Interactions.from_events(["ann", "ann", "bob"], ["x", "y", "x"])
    model = UserNeighbours().fit(log)
    header = save(model, tmp_path / "v1", trained_ms=(1, 2), created_ms=3, metrics={"m": 0.5}, purposes=["improve"])
    overwrite(model.forget(["ann"]), tmp_path / "v1")
    assert read_header(tmp_path / "v1") == header
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]
    assert not any(b"ann" in path.read_bytes() for path in (tmp_path / "v1").iterdir())
