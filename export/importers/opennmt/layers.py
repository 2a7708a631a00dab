"""The layers of a Transformer by the names of OpenNMT-py, which normalises before sub-layers."""

from collections.abc import Collection, Mapping
from typing import Any

from export.importers.networks.layers import LayerNames, StackShape, renamed_stack
from export.importers.networks.tensor_reader import TensorReader
from export.network import Float32

_PARTS = {
    "query": "linear_query",
    "key": "linear_keys",
    "value": "linear_values",
    "output": "final_linear",
}
_LAYERS = {"encoder": "encoder.transformer.{}", "decoder": "decoder.transformer_layers.{}"}
_ATTENTIONS = {
    "encoder": {"self_attention": ("self_attn", "layer_norm")},
    "decoder": {
        "self_attention": ("self_attn", "layer_norm_1"),
        "cross_attention": ("context_attn", "layer_norm_2"),
    },
}
"""Names of each attention and of its norm."""
_FEED_FORWARD = {"feed_forward.inner": "feed_forward.w_1", "feed_forward.outer": "feed_forward.w_2"}


def stack_weights(
    reader: TensorReader, stack: str, shape: StackShape, without_bias: Collection[str]
) -> dict[str, Float32]:
    """Weights of the encoder or the decoder by the names of our state dict.

    Args:
        reader: Collects the faults.
        stack: `encoder` or `decoder`.
        shape: What is expected.
        without_bias: Modules, by our names, whose bias may be missing.
    """
    modules = {**_FEED_FORWARD, "feed_forward_norm": "feed_forward.layer_norm"}
    for ours, (theirs, norm) in _ATTENTIONS[stack].items():
        modules |= {f"{ours}.{part}": f"{theirs}.{name}" for part, name in _PARTS.items()}
        modules[f"{ours}_norm"] = norm
    names = LayerNames(
        layer=_LAYERS[stack],
        modules=modules,
        final_norm=f"{stack}.layer_norm",
        without_bias=without_bias,
    )
    return renamed_stack(reader, stack, shape, names)


def without_bias(options: Mapping[str, Any]) -> set[str]:
    """Modules whose bias may be missing; before there were these options, all had one."""
    modules: set[str] = set()
    if not options.get("add_qkvbias", True):
        attentions = ("self_attention", "cross_attention")
        modules |= {f"{attention}.{part}" for attention in attentions for part in _PARTS}
    if not options.get("add_ffnbias", True):
        modules |= set(_FEED_FORWARD)
    return modules
