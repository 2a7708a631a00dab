"""The layers of a Transformer by the names of fairseq, which the family of BART kept."""

from export.importers.networks.layers import STACKS, LayerNames, StackShape, renamed_stack
from export.importers.networks.tensor_reader import TensorReader
from export.network import Float32

_ATTENTIONS = {"self_attention": "self_attn", "cross_attention": "encoder_attn"}
_PARTS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}
_FEED_FORWARD = {
    "feed_forward.inner": "fc1",
    "feed_forward.outer": "fc2",
    "feed_forward_norm": "final_layer_norm",
}


def bart_layers(
    reader: TensorReader, shapes: tuple[StackShape, StackShape], prefix: str = "model."
) -> dict[str, Float32]:
    """Weights of both stacks by the names of our state dict.

    Args:
        reader: Collects the faults.
        shapes: Of encoder and decoder.
        prefix: Before `encoder` and `decoder`.
    """
    weights: dict[str, Float32] = {}
    for stack, shape in zip(STACKS, shapes, strict=True):
        names = LayerNames(
            layer=f"{prefix}{stack}.layers.{{}}",
            modules=_modules(stack),
            final_norm=f"{prefix}{stack}.layer_norm",
        )
        weights |= renamed_stack(reader, stack, shape, names)
    return weights


def _modules(stack: str) -> dict[str, str]:
    modules: dict[str, str] = {}
    for ours, theirs in list(_ATTENTIONS.items())[: 2 if stack == "decoder" else 1]:
        modules |= {f"{ours}.{part}": f"{theirs}.{name}" for part, name in _PARTS.items()}
        modules[f"{ours}_norm"] = f"{theirs}_layer_norm"
    return modules | _FEED_FORWARD
