"""Tables of positions as other programs lay them out."""

import math

import numpy as np
import torch

from export.network import Float32


def sines_then_cosines(num_positions: int, d_model: int) -> Float32:
    """The paper's sinusoids, all sines in the first half and all cosines in the second.

    Float32 [num_positions, d_model]; in Marian and whatever came from it.
    """
    exponents = np.arange(0, d_model, 2) / d_model
    angles = np.arange(num_positions)[:, None] / np.power(10000.0, exponents)
    cosines = np.cos(angles)[:, : d_model // 2]
    return np.concatenate([np.sin(angles), cosines], axis=1).astype(np.float32)


def sines_then_cosines_from_one(num_positions: int, d_model: int) -> Float32:
    """Sinusoids of Tensor2Tensor and OpenNMT-tf: the slowest is 10,000 times as slow as the first.

    The first position is 1. Float32 [num_positions, d_model].
    """
    num_angles = d_model // 2
    exponents = np.arange(num_angles) / max(num_angles - 1, 1)
    angles = np.arange(1, num_positions + 1)[:, None] * np.power(10000.0, -exponents)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def fairseq_positions(num_positions: int, d_model: int, first: int) -> Float32:
    """Sinusoids as fairseq makes them, in single precision: at the 256th, that is 1.5e-5 off.

    The first position is `first`, an odd width ends with a zero. Float32 [num_positions, d_model].
    """
    num_angles = d_model // 2
    step = -math.log(10000) / max(num_angles - 1, 1)
    rates = torch.exp(torch.arange(num_angles, dtype=torch.float32) * step)
    angles = torch.arange(first, first + num_positions, dtype=torch.float32)[:, None] * rates
    table = torch.cat([angles.sin(), angles.cos()], dim=1).numpy()
    return np.pad(table, ((0, 0), (0, d_model % 2)))
