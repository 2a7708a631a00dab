"""Sub-layers that the graphs share: residuals and norms in either order, feed-forward."""

from collections.abc import Callable

import numpy as np

from export.graphs.builder import GraphBuilder


def residual(builder: GraphBuilder, hidden: str, norm: str, sublayer: Callable[[str], str]) -> str:
    """A sub-layer with its residual connection and its normalisation.

    Args:
        builder: Appends to the graph.
        hidden: Input, [.., d_model].
        norm: Name of the layer normalisation in the state dict.
        sublayer: Appends the sub-layer to its input, and returns its output.
    """
    if builder.network.architecture.norm_position == "pre":
        return builder.add("Add", hidden, sublayer(builder.layer_norm(hidden, norm)))
    return builder.layer_norm(builder.add("Add", hidden, sublayer(hidden)), norm)


def feed_forward(builder: GraphBuilder, hidden: str, layer: str) -> str:
    """`activation(x W1 + b1) W2 + b2`."""
    name = f"{layer}.feed_forward"
    inner = builder.linear(hidden, f"{name}.inner", [f"{name}.inner"])
    return builder.linear(builder.activation(inner), f"{name}.outer", [f"{name}.outer"])


def self_attention_inputs(builder: GraphBuilder, hidden: str, attention: str) -> str:
    """Queries, keys and values of a self-attention side by side, [.., 3 * d_model]."""
    names = [f"{attention}.{part}" for part in ("query", "key", "value")]
    return builder.linear(hidden, f"{attention}.inputs", names)


def attention_output(builder: GraphBuilder, context: str, attention: str) -> str:
    """The projection that joins the heads."""
    return builder.linear(context, f"{attention}.output", [f"{attention}.output"])


def final_norm(builder: GraphBuilder, hidden: str, stack: str) -> str:
    """The final norm of a stack that has one: of our own networks those with pre-norm."""
    name = f"{stack}.final_norm"
    has_norm = f"{name}.weight" in builder.network.weights
    return builder.layer_norm(hidden, name) if has_norm else hidden


def memory_projections(builder: GraphBuilder, memory: str) -> list[tuple[str, str]]:
    """Keys and values of each decoder layer's cross-attention, as the cache holds them.

    Returns:
        Per layer, key and value [batch, heads, source, head_dim]; int8 where the cache is int8.
    """
    layers = range(builder.network.architecture.num_decoder_layers)
    attentions = [f"decoder.layers.{i}.cross_attention" for i in layers]
    names = [f"{attention}.{part}" for attention in attentions for part in ("key", "value")]
    scales = None
    if builder.cache is not None:
        scales = np.concatenate(
            [scale for c in builder.cache.layers for scale in (c.cross_key, c.cross_value)]
        )
    projected = builder.linear(memory, "encoder.memory", names, divisors=scales)
    if scales is not None:
        projected = builder.round_to_int8(projected)
    parts = split_heads(builder, projected, len(names))
    return list(zip(parts[::2], parts[1::2], strict=True))


def split_heads(builder: GraphBuilder, value: str, parts: int) -> list[str]:
    """[batch, length, parts * d_model] -> `parts` times [batch, heads, length, head_dim]."""
    shape = builder.network.architecture
    pieces = [value]
    if parts > 1:
        pieces = builder.add_many("Split", value, outputs=parts, axis=-1, num_outputs=parts)
    target = builder.constant([0, 0, shape.num_heads, shape.head_dim], np.int64)
    return [
        builder.add("Transpose", builder.add("Reshape", piece, target), perm=[0, 2, 1, 3])
        for piece in pieces
    ]
