"""Tables of sinusoidal positions as other programs lay them out."""

import math

import numpy as np
from numpy.typing import NDArray

from export.network import Float32


def marian_positions(num_positions: int, d_model: int) -> Float32:
    """Sinusoids of Marian: wavelengths up to exactly 10,000 * 2 pi, from position 0.

    All sines in the first half and all cosines in the second. Float32 [num_positions, d_model].
    """
    return _long_waves(np.arange(num_positions), d_model)


def sines_then_cosines(num_positions: int, d_model: int) -> Float32:
    """The paper's sinusoids, all sines in the first half and all cosines in the second.

    `transformers` computes Marian's models with them, which Marian itself does not
    (`marian_positions`). Float32 [num_positions, d_model].
    """
    exponents = np.arange(0, d_model, 2) / d_model
    angles = np.arange(num_positions)[:, None] / np.power(10000.0, exponents)
    cosines = np.cos(angles)[:, : d_model // 2]
    return np.concatenate([np.sin(angles), cosines], axis=1).astype(np.float32)


def sines_then_cosines_from_one(num_positions: int, d_model: int) -> Float32:
    """Sinusoids of Tensor2Tensor and OpenNMT-tf: wavelengths up to exactly 10,000 * 2 pi.

    The first position is 1. Float32 [num_positions, d_model].
    """
    return _long_waves(np.arange(1, num_positions + 1), d_model)


def fairseq_positions(num_positions: int, d_model: int, first: int) -> Float32:
    """Sinusoids as fairseq computes them, in single precision: 1.5e-5 off at the 256th.

    The first position is `first`; an odd width ends with a zero. Float32 [num_positions, d_model].
    """
    import torch  # here: other kinds need none

    num_angles = d_model // 2
    step = -math.log(10000) / max(num_angles - 1, 1)
    rates = torch.exp(torch.arange(num_angles, dtype=torch.float32) * step)
    angles = torch.arange(first, first + num_positions, dtype=torch.float32)[:, None] * rates
    table = torch.cat([angles.sin(), angles.cos()], dim=1).numpy()
    return np.pad(table, ((0, 0), (0, d_model % 2)))


def _long_waves(positions: NDArray[np.int64], d_model: int) -> Float32:
    """Exponents `i / (d / 2 - 1)` of 10,000, from 0 to 1; the paper's end below 1."""
    num_angles = d_model // 2
    exponents = np.arange(num_angles) / max(num_angles - 1, 1)
    angles = positions[:, None] * np.power(10000.0, -exponents)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
