"""int8 weights with a scale per output column, and the grids that activations are rounded to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST_INT8 = 127
LARGEST_UINT8 = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedMatrix:
    """`values * scales` approximates a matrix."""

    values: NDArray[np.int8]
    """[in, out], ready for `MatMulIntegerToFloat`."""
    scales: NDArray[np.float32]
    """[out]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """`(byte - zero_point) * scale` approximates an activation, byte in 0 .. 255."""

    scale: float
    zero_point: int

    def rounded(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is left of values after they went through the grid."""
        steps = np.rint(values / np.float32(self.scale)) + self.zero_point
        steps = np.clip(steps, 0, LARGEST_UINT8) - self.zero_point
        return np.asarray(steps * self.scale, dtype=np.float32)


ROW_GRID = Grid(scale=1 / LARGEST_INT8, zero_point=128)
"""Of a row that was divided by its own largest magnitude."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationPlan:
    """How each activation that linear layers read becomes uint8, by tensor name."""

    static: dict[str, Grid]
    """Calibrated constant grid: nothing is computed at run time."""
    per_row: frozenset[str]
    """Scaled by each row's own largest value: dearer, and right where rows differ much."""


def grid_between(lowest: float, highest: float) -> Grid:
    """The finest grid from `lowest` to `highest` that has a point at 0.

    What is never negative, such as the output of ReLU, gets all 256 steps on its side of 0.
    """
    lowest, highest = min(lowest, 0.0), max(highest, 0.0)
    scale = max(highest - lowest, 1e-12) / LARGEST_UINT8
    return Grid(scale=scale, zero_point=round(-lowest / scale))


def quantize_matrix(weights: NDArray[np.float32]) -> QuantizedMatrix:
    """Quantise a linear layer's weights symmetrically, each output by its own largest value.

    Args:
        weights: float32 [out, in].
    """
    largest = np.abs(weights).max(axis=1)
    scales = np.maximum(largest, 1e-12).astype(np.float32) / LARGEST_INT8
    values = np.rint(weights / scales[:, None]).astype(np.int8)
    return QuantizedMatrix(values=np.ascontiguousarray(values.T), scales=scales)
