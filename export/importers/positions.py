"""Tables of positions as other programs lay them out."""

import numpy as np

from export.network import Float32


def sines_then_cosines(num_positions: int, d_model: int) -> Float32:
    """The paper's sinusoids, all sines in the first half and all cosines in the second.

    Float32 [num_positions, d_model]; in Marian and whatever came from it.
    """
    exponents = np.arange(0, d_model, 2) / d_model
    angles = np.arange(num_positions)[:, None] / np.power(10000.0, exponents)
    cosines = np.cos(angles)[:, : d_model // 2]
    return np.concatenate([np.sin(angles), cosines], axis=1).astype(np.float32)
