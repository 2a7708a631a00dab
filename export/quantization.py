"""int8: weights with a scale per output, grids of activations, scales of the cache."""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
class StoredMatrix:
    """An int8 matrix as a checkpoint holds it; `values / multiplier` are its weights."""

    values: NDArray[np.int8]
    """[out, in]."""
    multiplier: float

    @property
    def weights(self) -> NDArray[np.float32]:
        """Float32 [out, in]."""
        return self.values.astype(np.float32) / np.float32(self.multiplier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """`(byte - zero_point) * scale` approximates an activation, byte in 0 .. 255."""

    scale: float
    zero_point: int
    is_symmetric: bool = False
    """Whether the lowest byte is not used: -127 .. 127 steps, with the zero point 128."""

    def rounded(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values rounded to the grid."""
        steps = np.rint(values / np.float32(self.scale)) + self.zero_point
        steps = np.clip(steps, int(self.is_symmetric), LARGEST_UINT8) - self.zero_point
        return np.asarray(steps * self.scale, dtype=np.float32)


ROW_GRID = Grid(scale=1 / LARGEST_INT8, zero_point=128)
"""Grid of a row that was divided by its largest magnitude."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCacheScales:
    """Scales of a decoder layer's cached keys and values, float32 [heads * head_dim] each.

    `int8 * scale` approximates a key or a value.
    """

    self_key: NDArray[np.float32]
    self_value: NDArray[np.float32]
    cross_key: NDArray[np.float32]
    cross_value: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheScales:
    """Scales of the int8 key/value caches of a decoder."""

    layers: tuple[LayerCacheScales, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationPlan:
    """Quantisation of the inputs of linear layers to uint8, by tensor name."""

    static: dict[str, Grid]
    """Calibrated constant grids, which need no computation at run time."""
    per_row: frozenset[str]
    """Scaled by each row's largest value: slower, and needed where rows differ much."""
    noise_ratios: dict[str, float] = field(default_factory=dict)
    """Measured noise of each tensor's constant grid over that of per-row scales, as power."""
    cache: CacheScales | None = None
    """None keeps keys and values in float32."""
    is_stored: bool = False
    """The grids came with the checkpoint, as did the network's int8 matrices. Layers that read one
    tensor and have grids of their own are named instead of the tensor."""

    def has(self, tensor: str) -> bool:
        """Whether the plan names a tensor."""
        return tensor in self.static or tensor in self.per_row


def grid_between(lowest: float, highest: float, num_levels: int = LARGEST_UINT8 + 1) -> Grid:
    """The finest grid from `lowest` to `highest` that has a point at 0.

    Values that are never negative, such as outputs of ReLU, use all 256 steps.
    """
    lowest, highest = min(lowest, 0.0), max(highest, 0.0)
    scale = max(highest - lowest, 1e-12) / (num_levels - 1)
    return Grid(scale=scale, zero_point=round(-lowest / scale))


def joined_matrices(matrices: Sequence[StoredMatrix]) -> QuantizedMatrix:
    """Stored matrices side by side, each output with the scale of its matrix."""
    values = np.concatenate([matrix.values for matrix in matrices])
    scales = [np.full(len(m.values), 1 / m.multiplier, np.float32) for m in matrices]
    return QuantizedMatrix(values=np.ascontiguousarray(values.T), scales=np.concatenate(scales))


def quantize_matrix(weights: NDArray[np.float32]) -> QuantizedMatrix:
    """Quantise a linear layer's weights symmetrically, each output by its largest value.

    Args:
        weights: float32 [out, in].
    """
    largest = np.abs(weights).max(axis=1)
    scales = np.maximum(largest, 1e-12).astype(np.float32) / LARGEST_INT8
    values = np.rint(weights / scales[:, None]).astype(np.int8)
    return QuantizedMatrix(values=np.ascontiguousarray(values.T), scales=scales)
