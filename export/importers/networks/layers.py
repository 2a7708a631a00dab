"""The layers of encoder and decoder: our names, their shapes, and weights renamed to them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from export.importers.networks.tensor_reader import TensorReader
from export.network import Float32

STACKS = ("encoder", "decoder")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackShape:
    """Shape of the encoder or the decoder."""

    num_layers: int
    d_model: int
    d_ff: int
    has_final_norm: bool
    """The stack ends with a normalisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNames:
    """Another program's names of the modules of a stack."""

    layer: str
    """Prefix of a layer, with `{}` for its number."""
    modules: Mapping[str, str]
    """Our name of a module within a layer -> theirs."""
    final_norm: str
    without_bias: Collection[str] = ()
    """Modules, by our names, whose bias may be missing: zeros then."""


def layer_modules(stack: str, d_model: int, d_ff: int) -> dict[str, tuple[int, ...]]:
    """Modules of one layer by our names, each with the shape of its weight.

    Args:
        stack: `encoder` or `decoder`.
        d_model: Width of the stack.
        d_ff: Inner width of the feed-forward.
    """
    attentions = ["self_attention", *(["cross_attention"] if stack == "decoder" else [])]
    parts = ("query", "key", "value", "output")
    modules: dict[str, tuple[int, ...]] = {
        f"{attention}.{part}": (d_model, d_model) for attention in attentions for part in parts
    }
    modules |= {"feed_forward.inner": (d_ff, d_model), "feed_forward.outer": (d_model, d_ff)}
    return modules | {f"{name}_norm": (d_model,) for name in (*attentions, "feed_forward")}


def renamed_stack(
    reader: TensorReader, stack: str, shape: StackShape, names: LayerNames
) -> dict[str, Float32]:
    """Weights of a stack by the names of our state dict, where only names differ.

    Args:
        reader: Collects the faults.
        stack: `encoder` or `decoder`.
        shape: What is expected.
        names: Of modules in the checkpoint; modules without a name there are left out.
    """
    modules = layer_modules(stack, shape.d_model, shape.d_ff)
    weights: dict[str, Float32] = {}
    for i in range(shape.num_layers):
        for ours, theirs in names.modules.items():
            weights |= reader.take_module(
                f"{names.layer.format(i)}.{theirs}",
                f"{stack}.layers.{i}.{ours}",
                modules[ours],
                needs_bias=ours not in names.without_bias,
            )
    if shape.has_final_norm:
        ours = f"{stack}.final_norm"
        weights |= reader.take_module(names.final_norm, ours, (shape.d_model,))
    return weights
