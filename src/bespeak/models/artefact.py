"""A fitted model on disk: a folder with a typed header and one `.npy` file per array. No pickle, anywhere.

    header.json        format version, model name, settings, training window, metrics, purposes, names of the arrays
    item_ids_utf8.npy, item_ids_ends.npy    the item ids, as bytes and ends
    <array>.npy        the fitted parameters

A version is written beside its place and renamed into it, so that a reader sees all of it or nothing. Loading maps the
arrays read-only: the workers of one machine share the pages.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from bespeak.errors import InvalidInput, StoreError, StoreTooNew
from bespeak.models.base import Model
from bespeak.models.families import model_class
from bespeak.models.fitted import Fitted
from bespeak.models.packing import pack_strings, unpack_strings

FORMAT_VERSION = 1
F = TypeVar("F", bound=Fitted)
_ARRAY_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a stored version says about itself.

    Attributes:
        format_version: of this folder; a newer one is refused.
        model: name of the algorithm.
        settings: its constructor arguments.
        arrays: names of the array files.
        trained_from_ms: time of the first training event.
        trained_to_ms: time of the last training event.
        created_ms: when the version was made.
        metrics: figures by name, for example `{"ndcg@10": 0.143}`.
        purposes: the consent purposes under which the training data was used.
        holds_people: whether the arrays hold single people (then an erasure must rewrite the version).
    """

    format_version: int
    model: str
    settings: dict[str, Any]
    arrays: list[str]
    trained_from_ms: int = 0
    trained_to_ms: int = 0
    created_ms: int = 0
    metrics: dict[str, float] = {}
    purposes: list[str] = []
    holds_people: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Artefact:
    """A loaded version: the model, its arrays mapped read-only, and the header."""

    model: Model
    header: Header


def save(
    model: Fitted,
    folder: Path,
    *,
    trained_ms: tuple[int, int] = (0, 0),
    created_ms: int = 0,
    metrics: Mapping[str, float] | None = None,
    purposes: Sequence[str] = (),
) -> Header:
    """Writes a fitted model to `folder`, which must not exist; nothing is there until all of it is.

    Raises:
        InvalidInput: the folder exists already, or the model is not fitted.
    """
    if folder.exists():
        raise InvalidInput(f"There is a model version at {folder.name} already.", hint="Choose a new version name.")
    arrays = model.arrays()
    if not arrays:
        raise InvalidInput(f"The model '{model.name}' is not fitted.", hint="Call fit(...) first.")
    header = Header(
        format_version=FORMAT_VERSION,
        model=model.name,
        settings=model.settings(),
        arrays=sorted(arrays),
        trained_from_ms=trained_ms[0],
        trained_to_ms=trained_ms[1],
        created_ms=created_ms,
        metrics=dict(metrics or {}),
        purposes=list(purposes),
        holds_people=model.holds_people,
    )
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, array in (arrays | pack_strings("item_ids", model.item_ids)).items():
        _write_array(unfinished / f"{_checked(name)}.npy", array)
    _write_bytes(unfinished / "header.json", msgspec.json.format(msgspec.json.encode(header), indent=1))
    _sync_folder(unfinished)
    unfinished.rename(folder)
    _sync_folder(folder.parent)
    return header


def overwrite(model: Model, folder: Path) -> None:
    """Puts a model that has forgotten people in the place of the version at `folder`; what its header tells stays.

    Whoever has mapped the old arrays keeps them until they load the version again. A process killed between the two
    renames leaves no version there, which readers meet as a damaged one: rather none than one that remembers.

    Raises:
        StoreError: there is no readable version at the folder.
    """
    header = read_header(folder)
    fresh, old = (folder.with_name(f".{folder.name}.{state}") for state in ("fresh", "old"))
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    save(
        model,
        fresh,
        trained_ms=(header.trained_from_ms, header.trained_to_ms),
        created_ms=header.created_ms,
        metrics=header.metrics,
        purposes=header.purposes,
    )
    folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old)
    _sync_folder(folder.parent)


def read_header(folder: Path) -> Header:
    """The header alone.

    Raises:
        StoreError: there is no readable version at the folder.
        StoreTooNew: a newer release wrote it.
    """
    try:
        raw = (folder / "header.json").read_bytes()
        header = msgspec.json.decode(raw, type=Header)
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreError(f"There is no readable model version at {folder.name}.", hint="Train again.") from error
    if header.format_version > FORMAT_VERSION:
        raise StoreTooNew(
            f"Model version {folder.name} has format {header.format_version}, this release reads {FORMAT_VERSION}.",
            hint="Upgrade Bespeak or train again.",
        )
    return header


def load(folder: Path) -> Artefact:
    """The version at `folder`, arrays mapped read-only.

    Raises:
        StoreError: the folder holds no version, or a file of it is missing or damaged.
        StoreTooNew: a newer release wrote it.
        UnknownName: its model does not exist in this release.
    """
    header = read_header(folder)
    return Artefact(_restored(folder, header, model_class(header.model)), header)


def load_as(folder: Path, kind: type[F]) -> F:
    """The version at `folder`, which must be of this kind, arrays mapped read-only: for what is no ranking model.

    Raises:
        StoreError: the folder holds no version of this kind, or a file of it is missing or damaged.
        StoreTooNew: a newer release wrote it.
    """
    header = read_header(folder)
    if header.model != kind.name:
        raise StoreError(f"Model version {folder.name} holds no '{kind.name}'.", hint="Train again.")
    return _restored(folder, header, kind)


def _restored(folder: Path, header: Header, kind: type[F]) -> F:
    try:
        arrays = {name: _mapped(folder / f"{_checked(name)}.npy") for name in header.arrays}
        ids = {name: _mapped(folder / f"{name}.npy") for name in ("item_ids_utf8", "item_ids_ends")}
    except (OSError, ValueError) as error:
        raise StoreError(f"Model version {folder.name} is damaged.", hint="Train again.") from error
    return kind.from_arrays(header.settings, unpack_strings("item_ids", ids), arrays)


def _mapped(path: Path) -> np.ndarray[Any, Any]:
    # an empty array cannot be mapped; it costs nothing to read
    try:
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError:
        return np.asanyarray(np.load(path, allow_pickle=False))


def _checked(name: str) -> str:
    if not _ARRAY_NAME.fullmatch(name) or name.startswith("."):
        raise StoreError("A model array has a name that is no file name.", hint="Letters, digits, _ . - are allowed.")
    return name


def _write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _write_bytes(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
