"""The layers of a Transformer by the names of Marian, whose matrices are [in, out]."""

import numpy as np

from export.importers.tensors import TensorReader
from export.network import Float32

_PARTS = {"q": "query", "k": "key", "v": "value", "o": "output"}


def stack_weights(
    reader: TensorReader, side: str, depth: int, sizes: tuple[int, int], *, is_pre_norm: bool
) -> dict[str, Float32]:
    """Weights of the encoder or the decoder by the names of our own state dict.

    Args:
        reader: Remembers what is missing.
        side: `encoder` or `decoder`.
        depth: Its layers.
        sizes: `d_model` and `d_ff`.
        is_pre_norm: Normalised before the sub-layers.
    """
    d_model, d_ff = sizes
    weights: dict[str, Float32] = {}
    suffix = "_pre" if is_pre_norm else ""
    attentions = {"self": "self_attention"}
    if side == "decoder":
        attentions["context"] = "cross_attention"
    for i in range(depth):
        layer, ours = f"{side}_l{i + 1}", f"{side}.layers.{i}"
        for theirs, name in attentions.items():
            for letter, part in _PARTS.items():
                key = (f"{layer}_{theirs}_W{letter}", f"{layer}_{theirs}_b{letter}")
                weights |= _linear(reader, key, f"{ours}.{name}.{part}", (d_model, d_model))
            weights |= _norm(
                reader, f"{layer}_{theirs}_Wo_ln", suffix, f"{ours}.{name}_norm", d_model
            )
        for letter, part, shape in (
            ("1", "inner", (d_model, d_ff)),
            ("2", "outer", (d_ff, d_model)),
        ):
            key = (f"{layer}_ffn_W{letter}", f"{layer}_ffn_b{letter}")
            weights |= _linear(reader, key, f"{ours}.feed_forward.{part}", shape)
        norm = f"{ours}.feed_forward_norm"
        weights |= _norm(reader, f"{layer}_ffn_ffn_ln", suffix, norm, d_model)
    if is_pre_norm:
        weights |= _norm(reader, f"{side}_top_ln", "", f"{side}.final_norm", d_model)
    return weights


def _linear(
    reader: TensorReader, names: tuple[str, str], ours: str, shape: tuple[int, int]
) -> dict[str, Float32]:
    matrix = reader.take(names[0], shape)
    bias = reader.take(names[1], (1, matrix.shape[1]))
    return {f"{ours}.weight": np.ascontiguousarray(matrix.T), f"{ours}.bias": bias[0]}


def _norm(
    reader: TensorReader, theirs: str, suffix: str, ours: str, d_model: int
) -> dict[str, Float32]:
    parts = {"scale": "weight", "bias": "bias"}
    return {
        f"{ours}.{name}": reader.take(f"{theirs}_{part}{suffix}", (1, d_model))[0]
        for part, name in parts.items()
    }
