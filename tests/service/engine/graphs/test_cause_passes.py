"""ALTI's contributions, computed in blocks, are those of the formula written out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.graphs.cause_passes import token_contributions

Float32 = NDArray[np.float32]


def _written_out(
    attention: Float32, values: Float32, residual: Float32, result: Float32, *, is_own: bool
) -> NDArray[np.float64]:
    rows = []
    for i in range(len(residual)):
        vectors = [
            sum(attention[h, i, j] * values[h, j] for h in range(len(values)))
            for j in range(values.shape[1])
        ]
        if is_own:
            vectors[i] = vectors[i] + residual[i]
        else:
            vectors.append(residual[i])
        whole = np.abs(result[i]).sum()
        near = np.array([max(0.0, whole - np.abs(result[i] - v).sum()) for v in vectors])
        rows.append(near / near.sum())
    return np.stack(rows)


@pytest.mark.parametrize("is_own", [True, False])
@pytest.mark.parametrize("length", [3, 90])
def test_blocks_of_queries_are_one_formula(length: int, is_own: bool) -> None:
    """Of 90 keys a block has 45 queries."""
    random = np.random.default_rng(length)
    attention = random.dirichlet(np.ones(length), (2, length)).astype(np.float32)
    values = random.standard_normal((2, length, 6)).astype(np.float32)
    residual = random.standard_normal((length, 6)).astype(np.float32)
    result = residual + np.einsum("hqk,hkd->qd", attention, values)
    arrays = (attention, values, residual, result)
    found = token_contributions(*arrays, is_own=is_own)
    np.testing.assert_allclose(found, _written_out(*arrays, is_own=is_own), atol=1e-5)


def test_a_row_that_nothing_brings_nearer_is_residual() -> None:
    attention = np.full((1, 2, 2), 0.5, np.float32)
    nothing = np.zeros((2, 4), np.float32)
    arrays = (attention, np.ones((1, 2, 4), np.float32), nothing, nothing)
    np.testing.assert_array_equal(token_contributions(*arrays, is_own=True), np.eye(2))
    np.testing.assert_array_equal(
        token_contributions(*arrays, is_own=False), [[0, 0, 1], [0, 0, 1]]
    )
