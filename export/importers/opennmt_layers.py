"""The layers of a Transformer by the names of OpenNMT-py, which normalises before sub-layers."""

from dataclasses import dataclass

from export.importers.tensors import TensorReader
from export.network import Float32

_ATTENTION = {
    "linear_query": "query",
    "linear_keys": "key",
    "linear_values": "value",
    "final_linear": "output",
}
_LAYERS = {"encoder": "encoder.transformer", "decoder": "decoder.transformer_layers"}
_ATTENTIONS = {
    "encoder": {"self_attn": "self_attention"},
    "decoder": {"self_attn": "self_attention", "context_attn": "cross_attention"},
}
_NORMS = {
    "encoder": {"layer_norm": "self_attention_norm"},
    "decoder": {"layer_norm_1": "self_attention_norm", "layer_norm_2": "cross_attention_norm"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """What the options say of every layer."""

    d_model: int
    d_ff: int
    has_attention_biases: bool
    """Else there may be none, which is zeros."""
    has_inner_biases: bool
    """Likewise, of the feed-forward."""


def stack_weights(
    reader: TensorReader, side: str, depth: int, shape: LayerShape
) -> dict[str, Float32]:
    """Weights of the encoder or the decoder by the names of our own state dict.

    Args:
        reader: Remembers what is missing.
        side: `encoder` or `decoder`.
        depth: Its layers.
        shape: What is expected of each.
    """
    weights = _norm(reader, f"{side}.layer_norm", f"{side}.final_norm", shape.d_model)
    for i in range(depth):
        there, here = f"{_LAYERS[side]}.{i}", f"{side}.layers.{i}"
        for theirs, ours in _ATTENTIONS[side].items():
            weights |= _attention(reader, f"{there}.{theirs}", f"{here}.{ours}", shape)
        for theirs, ours in _NORMS[side].items():
            weights |= _norm(reader, f"{there}.{theirs}", f"{here}.{ours}", shape.d_model)
        weights |= _feed_forward(reader, f"{there}.feed_forward", f"{here}.feed_forward", shape)
    return weights


def _attention(
    reader: TensorReader, theirs: str, ours: str, shape: LayerShape
) -> dict[str, Float32]:
    square, is_biased = (shape.d_model, shape.d_model), shape.has_attention_biases
    weights: dict[str, Float32] = {}
    for there, here in _ATTENTION.items():
        names = (f"{theirs}.{there}", f"{ours}.{here}")
        weights |= _linear(reader, *names, square, is_biased=is_biased)
    return weights


def _feed_forward(
    reader: TensorReader, theirs: str, ours: str, shape: LayerShape
) -> dict[str, Float32]:
    weights = _norm(reader, f"{theirs}.layer_norm", f"{ours}_norm", shape.d_model)
    inner, outer = (shape.d_ff, shape.d_model), (shape.d_model, shape.d_ff)
    for there, here, size in (("w_1", "inner", inner), ("w_2", "outer", outer)):
        names = (f"{theirs}.{there}", f"{ours}.{here}")
        weights |= _linear(reader, *names, size, is_biased=shape.has_inner_biases)
    return weights


def _linear(
    reader: TensorReader, theirs: str, ours: str, shape: tuple[int, int], *, is_biased: bool
) -> dict[str, Float32]:
    take_bias = reader.take if is_biased else reader.take_or_zeros
    return {
        f"{ours}.weight": reader.take(f"{theirs}.weight", shape),
        f"{ours}.bias": take_bias(f"{theirs}.bias", shape[:1]),
    }


def _norm(reader: TensorReader, theirs: str, ours: str, d_model: int) -> dict[str, Float32]:
    return {
        f"{ours}.{part}": reader.take(f"{theirs}.{part}", (d_model,)) for part in ("weight", "bias")
    }
