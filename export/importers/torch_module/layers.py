"""The layers of `torch.nn.Transformer` by our names, and the shapes that its state dict tells."""

import re
from collections.abc import Mapping

from export.importers.networks.layers import LayerNames, StackShape, renamed_stack
from export.importers.networks.tensor_reader import TensorReader
from export.network import Float32

_PARTS = ("query", "key", "value")
_ATTENTIONS = {
    "encoder": {"self_attn": "self_attention"},
    "decoder": {"self_attn": "self_attention", "multihead_attn": "cross_attention"},
}


def stack_shape(tensors: Mapping[str, Float32], stack: str, d_model: int) -> StackShape:
    """Shape of a stack; `stack` is the name of encoder or decoder in the state dict."""
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
    reader: TensorReader, theirs: str, stack: str, shape: StackShape
) -> dict[str, Float32]:
    """Weights of a stack by the names of our state dict.

    Args:
        reader: Collects the faults.
        theirs: Name of the stack in the checkpoint.
        stack: `encoder` or `decoder`.
        shape: What is expected.
    """
    attentions = _ATTENTIONS[stack]
    names = LayerNames(
        layer=f"{theirs}.layers.{{}}", modules=_modules(attentions), final_norm=f"{theirs}.norm"
    )
    weights = renamed_stack(reader, stack, shape, names)
    for i in range(shape.num_layers):
        for there, here in attentions.items():
            there, here = f"{theirs}.layers.{i}.{there}", f"{stack}.layers.{i}.{here}"
            weights |= _input_projections(reader, there, here, shape.d_model)
    return weights


def _modules(attentions: Mapping[str, str]) -> dict[str, str]:
    """All modules but the joined input projections of attentions."""
    modules = {f"{ours}.output": f"{theirs}.out_proj" for theirs, ours in attentions.items()}
    modules |= {"feed_forward.inner": "linear1", "feed_forward.outer": "linear2"}
    norms = (*attentions.values(), "feed_forward")
    return modules | {f"{ours}_norm": f"norm{i}" for i, ours in enumerate(norms, 1)}


def _input_projections(
    reader: TensorReader, theirs: str, ours: str, d_model: int
) -> dict[str, Float32]:
    """Projections of queries, keys and values, which torch keeps in one matrix."""
    matrix = reader.take(f"{theirs}.in_proj_weight", (3 * d_model, d_model))
    bias = reader.take(f"{theirs}.in_proj_bias", (3 * d_model,))
    weights: dict[str, Float32] = {}
    for i, part in enumerate(_PARTS):
        rows = slice(i * d_model, (i + 1) * d_model)
        weights[f"{ours}.{part}.weight"] = matrix[rows].copy()
        weights[f"{ours}.{part}.bias"] = bias[rows].copy()
    return weights
