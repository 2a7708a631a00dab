"""The layers of JoeyNMT's Transformer by our own names."""

from collections.abc import Iterator

from export.importers.joeynmt_config import Stack
from export.importers.tensors import TensorReader
from export.network import Float32

_PARTS = {"q_layer": "query", "k_layer": "key", "v_layer": "value", "output_layer": "output"}
_SELF_ATTENTION = {"encoder": "src_src_att", "decoder": "trg_trg_att"}
_NORMS = {
    "encoder": {"layer_norm": "self_attention"},
    "decoder": {"x_layer_norm": "self_attention", "dec_layer_norm": "cross_attention"},
}


def stack_weights(
    reader: TensorReader, side: str, stack: Stack, *, factor: float, has_final_norm: bool
) -> dict[str, Float32]:
    """Weights of a stack by the names of our own state dict.

    Args:
        reader: Remembers what is missing.
        side: `encoder` or `decoder`.
        stack: What is expected.
        factor: What the input of each sub-layer is multiplied with before its output is added.
        has_final_norm: The stack ends with a normalisation.
    """
    weights: dict[str, Float32] = {}
    for i in range(stack.num_layers):
        layer = f"{side}.layers.{i}"
        for theirs, ours, shape in _layer(side, stack):
            for part, size in (("weight", shape), ("bias", shape[:1])):
                weights[f"{layer}.{ours}.{part}"] = reader.take(f"{layer}.{theirs}.{part}", size)
    if has_final_norm:
        for part in ("weight", "bias"):
            name = f"{side}.layer_norm.{part}"
            weights[f"{side}.final_norm.{part}"] = reader.take(name, (stack.hidden_size,))
    _fold_factor(weights, side, stack, factor=factor, is_pre_norm=has_final_norm)
    return weights


def _layer(side: str, stack: Stack) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Of everything with a weight and a bias: its name there, ours, and the weight's shape."""
    width, inner = stack.hidden_size, stack.ff_size
    attentions = {_SELF_ATTENTION[side]: "self_attention"}
    if side == "decoder":
        attentions["src_trg_att"] = "cross_attention"
    for attention, our_name in attentions.items():
        for part, our_part in _PARTS.items():
            yield f"{attention}.{part}", f"{our_name}.{our_part}", (width, width)
    for norm, our_name in _NORMS[side].items():
        yield norm, f"{our_name}_norm", (width,)
    yield "feed_forward.layer_norm", "feed_forward_norm", (width,)
    yield "feed_forward.pwff_layer.0", "feed_forward.inner", (inner, width)
    yield "feed_forward.pwff_layer.3", "feed_forward.outer", (width, inner)


def _fold_factor(
    weights: dict[str, Float32], side: str, stack: Stack, *, factor: float, is_pre_norm: bool
) -> None:
    """Divide outputs of sub-layers instead of multiplying their inputs.

    Every normalisation takes the factor out again. Behind a residual that is the next thing that
    happens; before sub-layers it is the last thing of a stack, and factors add up until then.
    """
    outputs = ["self_attention.output", "cross_attention.output", "feed_forward.outer"]
    if side == "encoder":
        del outputs[1]
    divisor = 1.0
    for i in range(stack.num_layers):
        for output in outputs:
            divisor = divisor * factor if is_pre_norm else factor
            for part in ("weight", "bias"):
                name = f"{side}.layers.{i}.{output}.{part}"
                weights[name] = weights[name] / weights[name].dtype.type(divisor)
