"""The encoder graph: source ids -> cross-attention keys and values of every decoder layer."""

import numpy as np
import onnx
from onnx import TensorProto

from bundle.tensors import cross_key, cross_value, encoder_spec
from export.graph_builder import MICROSOFT, GraphBuilder
from export.layers import (
    attention_output,
    feed_forward,
    final_norm,
    memory_projections,
    residual,
    self_attention_inputs,
)


def build_encoder(builder: GraphBuilder) -> onnx.ModelProto:
    """Append the encoder to an empty builder; see `bundle.tensors.encoder_spec`."""
    architecture = builder.network.architecture
    hidden = builder.embedding("input_ids", "source", leading_positions(builder, "input_ids"))
    last_key = builder.add("Sub", "source_lengths", builder.constant(1, np.int32))
    total = builder.add("Cast", length_of(builder, "input_ids"), to=TensorProto.INT32)
    for i in range(architecture.num_encoder_layers):
        layer = f"encoder.layers.{i}"

        def attend(value: str, layer: str = layer) -> str:
            attention = f"{layer}.self_attention"
            inputs = self_attention_inputs(builder, value, attention)
            context = _fused_attention(builder, inputs, last_key, total)
            return attention_output(builder, context, attention)

        def feed(value: str, layer: str = layer) -> str:
            return feed_forward(builder, value, layer)

        hidden = residual(builder, hidden, f"{layer}.self_attention_norm", attend)
        hidden = residual(builder, hidden, f"{layer}.feed_forward_norm", feed)
    memory = final_norm(builder, hidden, "encoder")
    for i, (key, value) in enumerate(memory_projections(builder, memory)):
        builder.rename(key, cross_key(i))
        builder.rename(value, cross_value(i))
    return builder.model("encoder", encoder_spec(architecture, builder.cache_dtype))


def leading_positions(builder: GraphBuilder, ids: str, side: str = "source") -> str:
    """Positions 0 .. length - 1 for ids [batch, length]."""
    table = getattr(builder.network, f"{side}_positions")
    start, axes = builder.constant([0], np.int64), builder.constant([0], np.int64)
    weight = builder.weight(f"{side}_positions", table)
    return builder.add("Slice", weight, start, length_of(builder, ids), axes)


def length_of(builder: GraphBuilder, ids: str) -> str:
    """Second axis of [batch, length], int64 [1]."""
    return builder.add("Shape", ids, start=1, end=2)


def _fused_attention(builder: GraphBuilder, inputs: str, last_key: str, total: str) -> str:
    heads = builder.network.architecture.num_heads
    # Lengths per row instead of a mask; causal = 0 lets every token see the whole source.
    arguments = [inputs, "", "", "", "", last_key, total]
    outputs = builder.add_many(
        "GroupQueryAttention",
        *arguments,
        outputs=3,
        domain=MICROSOFT,
        num_heads=heads,
        kv_num_heads=heads,
        causal=0,
    )
    return outputs[0]
