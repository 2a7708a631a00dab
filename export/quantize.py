"""int8 weights with a scale per output column, and how activations are to be quantised."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ACTIVATION_ZERO_POINT = 128
LARGEST_INT8 = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedMatrix:
    """`values * scales` approximates a matrix."""

    values: NDArray[np.int8]
    """[in, out], ready for `MatMulIntegerToFloat`."""
    scales: NDArray[np.float32]
    """[out]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationPlan:
    """How each activation that linear layers read becomes uint8, by tensor name."""

    static_scales: dict[str, float]
    """Calibrated constant scale: nothing is computed at run time."""
    per_row: frozenset[str]
    """Scaled by each row's own largest value: dearer, and right where rows differ much."""


def quantize_matrix(weights: NDArray[np.float32]) -> QuantizedMatrix:
    """Quantise a linear layer's weights symmetrically, each output by its own largest value.

    Args:
        weights: float32 [out, in].
    """
    largest = np.abs(weights).max(axis=1)
    scales = np.maximum(largest, 1e-12).astype(np.float32) / LARGEST_INT8
    values = np.rint(weights / scales[:, None]).astype(np.int8)
    return QuantizedMatrix(values=np.ascontiguousarray(values.T), scales=scales)
