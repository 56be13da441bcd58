"""Sparse matrices as arrays: positions take no more bytes than they need, and come back without a copy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from bespeak.errors import InvalidInput
from bespeak.models.packing import pack_csr, unpack_csr


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_positions_of_either_width_are_packed_in_32_bits_and_unpacked_as_they_lie(kind: type) -> None:
    matrix = csr_array(np.array([[0.0, 2.0], [0.0, 0.0], [1.0, 3.0]], np.float32))
    matrix.indices, matrix.indptr = matrix.indices.astype(kind), matrix.indptr.astype(kind)

    packed = pack_csr("weights", matrix)
    found = unpack_csr("weights", packed)

    assert packed["weights_indices"].dtype == packed["weights_indptr"].dtype == np.int32
    assert np.shares_memory(found.indices, packed["weights_indices"])
    assert np.shares_memory(found.data, packed["weights_data"])
    assert found.toarray().tolist() == matrix.toarray().tolist()


def test_arrays_of_a_model_from_before_with_wide_positions_are_read_as_they_are() -> None:
    packed = pack_csr("weights", csr_array(np.eye(3, dtype=np.float32)))
    wide = {name: array.astype(np.int64) if "ind" in name else array for name, array in packed.items()}

    found = unpack_csr("weights", wide)

    assert found.toarray().tolist() == np.eye(3).tolist()
    assert np.shares_memory(found.indices, wide["weights_indices"])


def test_a_matrix_that_is_not_there_is_told() -> None:
    with pytest.raises(InvalidInput, match="no matrix 'weights'"):
        unpack_csr("weights", {})
