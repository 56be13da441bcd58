"""Strings and sparse matrices as plain arrays, so that an artefact is `.npy` files and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from bespeak.errors import InvalidInput
from bespeak.models.interactions import Csr


def pack_strings(prefix: str, strings: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """`<prefix>_utf8` (uint8, all bytes in a row) and `<prefix>_ends` (int64, where each string ends).

    Example:
        >>> packed = pack_strings("ids", ["a", "né"])
        >>> packed["ids_ends"].tolist(), unpack_strings("ids", packed)
        ([1, 4], ('a', 'né'))
    """
    encoded = [string.encode() for string in strings]
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, count=len(encoded)))
    return {f"{prefix}_utf8": np.frombuffer(b"".join(encoded), np.uint8), f"{prefix}_ends": ends.astype(np.int64)}


def unpack_strings(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[str, ...]:
    """The strings that `pack_strings` packed."""
    data = arrays[f"{prefix}_utf8"].tobytes()
    ends = arrays[f"{prefix}_ends"].tolist()
    return tuple(data[start:end].decode() for start, end in zip([0, *ends], ends, strict=False))


def pack_csr(prefix: str, matrix: Csr) -> dict[str, npt.NDArray[Any]]:
    """`<prefix>_data`, `<prefix>_indices`, `<prefix>_indptr`, `<prefix>_shape`.

    Positions are int32 wherever they fit, whatever made the matrix: a decision reads them from memory at every turn.

    Example:
        >>> packed = pack_csr("weights", csr_array(([1.0], [0], [0, 1]), shape=(1, 1)))
        >>> packed["weights_indices"].dtype, packed["weights_indptr"].dtype
        (dtype('int32'), dtype('int32'))
    """
    fits = max(matrix.nnz, *matrix.shape) <= np.iinfo(np.int32).max
    kind = np.int32 if fits else np.int64  # of one kind: SciPy copies both where they differ
    return {
        f"{prefix}_data": matrix.data,
        f"{prefix}_indices": matrix.indices.astype(kind, copy=False),
        f"{prefix}_indptr": matrix.indptr.astype(kind, copy=False),
        f"{prefix}_shape": np.array(matrix.shape, np.int64),
    }


def unpack_csr(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Csr:
    """The matrix that `pack_csr` packed, sharing its memory.

    Raises:
        InvalidInput: the arrays hold no such matrix: another release stored them.
    """
    if f"{prefix}_data" not in arrays:
        raise InvalidInput(f"The model holds no matrix '{prefix}': another release stored it.", hint="Train again.")
    parts = tuple(arrays[f"{prefix}_{part}"] for part in ("data", "indices", "indptr"))
    return csr_array(parts, shape=tuple(arrays[f"{prefix}_shape"].tolist()), copy=False)
