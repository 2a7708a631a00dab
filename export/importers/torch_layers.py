"""The layers of `torch.nn.Transformer` by our own names, and what its state dict says of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from export.importers.tensors import TensorReader
from export.network import Float32

_PARTS = ("query", "key", "value")
_ATTENTIONS = {"self_attn": "self_attention", "multihead_attn": "cross_attention"}
_LINEAR = {"linear1": "inner", "linear2": "outer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StackShape:
    """Encoder or decoder."""

    num_layers: int
    has_final_norm: bool
    d_model: int
    d_ff: int


def stack_shape(tensors: Mapping[str, Float32], stack: str, d_model: int) -> StackShape:
    """Read off a state dict, where `stack` is the name of encoder or decoder in it."""
    layer = re.compile(re.escape(stack) + r"\.layers\.(\d+)\.")
    numbers = [int(found[1]) for found in map(layer.match, tensors) if found]
    inner = tensors.get(f"{stack}.layers.0.linear1.weight")
    return StackShape(
        num_layers=max(numbers, default=-1) + 1,
        has_final_norm=any(name.startswith(f"{stack}.norm.") for name in tensors),
        d_model=d_model,
        d_ff=len(inner) if inner is not None else 1,
    )


def stack_weights(
    reader: TensorReader, theirs: str, ours: str, shape: StackShape
) -> dict[str, Float32]:
    """Weights of a stack by the names of our own state dict.

    Args:
        reader: Remembers what is missing.
        theirs: Name of the stack in the checkpoint.
        ours: `encoder` or `decoder`.
        shape: What is expected.
    """
    weights: dict[str, Float32] = {}
    norms = ["self_attention", "feed_forward"]
    attentions = dict(list(_ATTENTIONS.items())[:1])
    if ours == "decoder":
        attentions, norms = _ATTENTIONS, ["self_attention", "cross_attention", "feed_forward"]
    sizes = {"linear1": (shape.d_ff, shape.d_model), "linear2": (shape.d_model, shape.d_ff)}
    for i in range(shape.num_layers):
        there, here = f"{theirs}.layers.{i}", f"{ours}.layers.{i}"
        for name, our_name in attentions.items():
            weights |= _attention(reader, f"{there}.{name}", f"{here}.{our_name}", shape.d_model)
        for name, our_name in _LINEAR.items():
            there_to_here = (f"{there}.{name}", f"{here}.feed_forward.{our_name}")
            weights |= _linear(reader, *there_to_here, sizes[name])
        for number, our_name in enumerate(norms, 1):
            there_to_here = (f"{there}.norm{number}", f"{here}.{our_name}_norm")
            weights |= _norm(reader, *there_to_here, shape.d_model)
    if shape.has_final_norm:
        weights |= _norm(reader, f"{theirs}.norm", f"{ours}.final_norm", shape.d_model)
    return weights


def _attention(reader: TensorReader, theirs: str, ours: str, d_model: int) -> dict[str, Float32]:
    """Queries, keys and values are projected by one matrix there."""
    matrix = reader.take(f"{theirs}.in_proj_weight", (3 * d_model, d_model))
    bias = reader.take(f"{theirs}.in_proj_bias", (3 * d_model,))
    weights = _linear(reader, f"{theirs}.out_proj", f"{ours}.output", (d_model, d_model))
    for i, part in enumerate(_PARTS):
        rows = slice(i * d_model, (i + 1) * d_model)
        weights[f"{ours}.{part}.weight"] = matrix[rows].copy()
        weights[f"{ours}.{part}.bias"] = bias[rows].copy()
    return weights


def _linear(
    reader: TensorReader, theirs: str, ours: str, shape: tuple[int, int]
) -> dict[str, Float32]:
    return {
        f"{ours}.weight": reader.take(f"{theirs}.weight", shape),
        f"{ours}.bias": reader.take(f"{theirs}.bias", shape[:1]),
    }


def _norm(reader: TensorReader, theirs: str, ours: str, d_model: int) -> dict[str, Float32]:
    return {
        f"{ours}.{part}": reader.take(f"{theirs}.{part}", (d_model,)) for part in ("weight", "bias")
    }
