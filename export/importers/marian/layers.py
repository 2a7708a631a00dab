"""The layers of a Transformer by the names of Marian, whose matrices are [in, out]."""

import numpy as np

from bundle.manifest import DecoderCell
from export.importers.networks.layers import StackShape, layer_modules
from export.importers.networks.tensor_reader import TensorReader
from export.network import Float32

_SUBLAYERS = {
    "self_attention": "self",
    "cross_attention": "context",
    "feed_forward": "ffn",
    "recurrence": "rnn",
}
_PARTS = {
    "query": "q",
    "key": "k",
    "value": "v",
    "output": "o",
    "inner": "1",
    "outer": "2",
    "forget": "f",
    "input": "",
}
_NORMS = {
    "recurrence_norm": "rnn_ffn_ln",
    "self_attention_norm": "self_Wo_ln",
    "cross_attention_norm": "context_Wo_ln",
    "feed_forward_norm": "ffn_ffn_ln",
}


def stack_weights(
    reader: TensorReader,
    stack: str,
    shape: StackShape,
    cell: DecoderCell = "self_attention",
) -> dict[str, Float32]:
    """Weights of the encoder or the decoder by the names of our state dict.

    Args:
        reader: Collects the faults.
        stack: `encoder` or `decoder`.
        shape: What is expected; with a final norm, the others come before the sub-layers.
        cell: Of a decoder.
    """
    suffix = "_pre" if shape.has_final_norm else ""
    modules = _modules(stack, shape, cell)
    weights: dict[str, Float32] = {}
    for i in range(shape.num_layers):
        theirs, ours = f"{stack}_l{i + 1}", f"{stack}.layers.{i}"
        for module, size in modules.items():
            if module in _NORMS:
                norm = f"{theirs}_{_NORMS[module]}"
                weights |= _norm(reader, norm, suffix, f"{ours}.{module}", shape.d_model)
            else:
                weights |= _linear(reader, theirs, ours, module, size)
    if shape.has_final_norm:
        weights |= _norm(reader, f"{stack}_top_ln", "", f"{stack}.final_norm", shape.d_model)
    return weights


def matrix_names(stack: str, shape: StackShape, cell: DecoderCell) -> dict[str, str]:
    """Our name of every matrix of a stack, without `.weight` -> Marian's; arguments as above."""
    modules = [m for m in _modules(stack, shape, cell) if m not in _NORMS]
    return {
        f"{stack}.layers.{i}.{module}": _matrix(f"{stack}_l{i + 1}", module, "W")
        for i in range(shape.num_layers)
        for module in modules
    }


def _modules(stack: str, shape: StackShape, cell: DecoderCell) -> dict[str, tuple[int, ...]]:
    modules = layer_modules(stack, shape.d_model, shape.d_ff)
    if stack == "encoder" or cell == "self_attention":
        return modules
    square = (shape.d_model, shape.d_model)
    own = {"recurrence.forget": square, "recurrence.input": square, "recurrence_norm": square[:1]}
    return own | {n: s for n, s in modules.items() if not n.startswith("self_attention")}


def _matrix(layer: str, module: str, kind: str) -> str:
    sublayer, part = module.split(".")
    return f"{layer}_{_SUBLAYERS[sublayer]}_{kind}{_PARTS[part]}"


def _linear(
    reader: TensorReader, theirs: str, ours: str, module: str, shape: tuple[int, ...]
) -> dict[str, Float32]:
    """A linear layer whose weight is [out, in] here."""
    matrix = reader.take(_matrix(theirs, module, "W"), shape[::-1])
    take = reader.take_or_zeros if module == "recurrence.input" else reader.take
    bias = take(_matrix(theirs, module, "b"), (1, shape[0]))
    return {
        f"{ours}.{module}.weight": np.ascontiguousarray(matrix.T),
        f"{ours}.{module}.bias": bias[0],
    }


def _norm(
    reader: TensorReader, theirs: str, suffix: str, ours: str, d_model: int
) -> dict[str, Float32]:
    parts = {"scale": "weight", "bias": "bias"}
    return {
        f"{ours}.{name}": reader.take(f"{theirs}_{part}{suffix}", (1, d_model))[0]
        for part, name in parts.items()
    }
