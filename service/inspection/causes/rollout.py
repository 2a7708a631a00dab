"""Attention rollout (Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers")."""

from collections.abc import Mapping

import numpy as np

from service.engine.inspection import AttentionKind
from service.inspection.causes.composition import Float32, compose


def rollout(maps: Mapping[AttentionKind, Float32]) -> tuple[Float32, Float32]:
    """Multiply the attention of all layers, half of each being the residual connection.

    `A = 0.5 W + 0.5 I` with `W` the mean over heads, in every self-attention and, in place of `I`,
    what passes by in every cross-attention. A recurrence counts with the shares of its state.

    Args:
        maps: Mean over heads of every layer, float32 [layers, 1, query, key] by kind.
    """
    encoder, decoder = (_with_residual(maps[kind][:, 0]) for kind in ("encoder", "decoder"))
    half = np.float32(0.5)
    return compose(encoder, half * decoder, half * maps["cross"][:, 0])


def _with_residual(weights: Float32) -> Float32:
    return np.asarray((weights + np.eye(weights.shape[-1], dtype=np.float32)) / 2)
