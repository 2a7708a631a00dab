"""The layers of JoeyNMT's Transformer by our names."""

from export.importers.networks.layers import LayerNames, StackShape, renamed_stack
from export.importers.networks.tensor_reader import TensorReader
from export.network import Float32

_PARTS = {"query": "q_layer", "key": "k_layer", "value": "v_layer", "output": "output_layer"}
_ATTENTIONS = {
    "encoder": {"self_attention": ("src_src_att", "layer_norm")},
    "decoder": {
        "self_attention": ("trg_trg_att", "x_layer_norm"),
        "cross_attention": ("src_trg_att", "dec_layer_norm"),
    },
}
"""Names of each attention and of its norm."""
_FEED_FORWARD = {
    "feed_forward_norm": "feed_forward.layer_norm",
    "feed_forward.inner": "feed_forward.pwff_layer.0",
    "feed_forward.outer": "feed_forward.pwff_layer.3",
}


def stack_weights(
    reader: TensorReader, stack: str, shape: StackShape, factor: float
) -> dict[str, Float32]:
    """Weights of the encoder or the decoder by the names of our state dict.

    Args:
        reader: Collects the faults.
        stack: `encoder` or `decoder`.
        shape: What is expected; with a final norm, the others come before the sub-layers.
        factor: Factor of each sub-layer's input before its output is added.
    """
    names = LayerNames(
        layer=f"{stack}.layers.{{}}", modules=_modules(stack), final_norm=f"{stack}.layer_norm"
    )
    weights = renamed_stack(reader, stack, shape, names)
    return weights | _divided_outputs(weights, stack, shape, factor)


def _modules(stack: str) -> dict[str, str]:
    modules: dict[str, str] = {}
    for ours, (theirs, norm) in _ATTENTIONS[stack].items():
        modules |= {f"{ours}.{part}": f"{theirs}.{name}" for part, name in _PARTS.items()}
        modules[f"{ours}_norm"] = norm
    return modules | _FEED_FORWARD


def _divided_outputs(
    weights: dict[str, Float32], stack: str, shape: StackShape, factor: float
) -> dict[str, Float32]:
    """Outputs of sub-layers divided, which equals multiplying their inputs.

    Every normalisation cancels the factor. Behind a residual it follows at once; before the
    sub-layers it is the last one of the stack, and the factors multiply until then.
    """
    outputs = [f"{attention}.output" for attention in _ATTENTIONS[stack]]
    divided: dict[str, Float32] = {}
    divisor = 1.0
    for i in range(shape.num_layers):
        for output in (*outputs, "feed_forward.outer"):
            divisor = divisor * factor if shape.has_final_norm else factor
            for part in ("weight", "bias"):
                name = f"{stack}.layers.{i}.{output}.{part}"
                divided[name] = weights[name] / weights[name].dtype.type(divisor)
    return divided
