"""The decoder graph: one new token per row -> logits, with the cache updated in place."""

import numpy as np
import onnx

from bundle.tensors import (
    cross_key,
    cross_value,
    decoder_spec,
    past_key,
    past_value,
    present_key,
    present_value,
)
from export.graph_builder import MICROSOFT, GraphBuilder
from export.layers import (
    attention_output,
    feed_forward,
    final_norm,
    residual,
    self_attention_inputs,
)


def build_decoder(builder: GraphBuilder) -> onnx.ModelProto:
    """Append the decoder to an empty builder; see `bundle.tensors.decoder_spec`."""
    architecture = builder.network.architecture
    table = builder.weight("target_positions", builder.network.target_positions)
    axes = builder.constant([1], np.int64)
    positions = builder.add("Unsqueeze", builder.add("Gather", table, "positions"), axes)
    hidden = builder.embedding("input_ids", "target", positions)
    last_source = builder.add("Sub", "source_lengths", builder.constant(1, np.int32))
    no_new_keys = _no_new_keys(builder)
    for i in range(architecture.num_decoder_layers):
        layer = f"decoder.layers.{i}"

        def attend(value: str, i: int = i, layer: str = layer) -> str:
            return _self_attention(builder, value, i, f"{layer}.self_attention")

        def look(value: str, i: int = i, layer: str = layer) -> str:
            keys = (no_new_keys, last_source)
            return _cross_attention(builder, value, i, f"{layer}.cross_attention", keys)

        def feed(value: str, layer: str = layer) -> str:
            return feed_forward(builder, value, layer)

        hidden = residual(builder, hidden, f"{layer}.self_attention_norm", attend)
        hidden = residual(builder, hidden, f"{layer}.cross_attention_norm", look)
        hidden = residual(builder, hidden, f"{layer}.feed_forward_norm", feed)
    logits = builder.vocabulary_projection(final_norm(builder, hidden, "decoder"))
    builder.rename(builder.add("Squeeze", logits, axes), "logits")
    return builder.model("decoder", decoder_spec(architecture))


def _self_attention(builder: GraphBuilder, value: str, layer: int, attention: str) -> str:
    inputs = self_attention_inputs(builder, value, attention)
    heads = builder.network.architecture.num_heads
    context = f"{attention}.context"
    builder.produce(
        "GroupQueryAttention",
        [inputs, "", "", past_key(layer), past_value(layer), "positions", "total"],
        [context, present_key(layer), present_value(layer)],
        num_heads=heads,
        kv_num_heads=heads,
    )
    return attention_output(builder, context, attention)


def _cross_attention(
    builder: GraphBuilder, value: str, layer: int, attention: str, keys: tuple[str, str]
) -> str:
    """The source's keys and values stand in as the past of an attention without new keys."""
    no_new_keys, last_source = keys
    query = builder.linear(value, f"{attention}.query", [f"{attention}.query"])
    heads = builder.network.architecture.num_heads
    past = [cross_key(layer), cross_value(layer)]
    context = builder.add(
        "GroupQueryAttention",
        *[query, no_new_keys, no_new_keys, *past, last_source, "source_total"],
        domain=MICROSOFT,
        num_heads=heads,
        kv_num_heads=heads,
        causal=0,
    )
    return attention_output(builder, context, attention)


def _no_new_keys(builder: GraphBuilder) -> str:
    """Zeros of shape [rows, 0, d_model]."""
    rows = builder.add("Shape", "input_ids", start=0, end=1)
    rest = builder.constant([0, builder.network.architecture.d_model], np.int64)
    return builder.add("ConstantOfShape", builder.add("Concat", rows, rest, axis=0))
