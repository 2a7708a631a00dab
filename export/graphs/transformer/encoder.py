"""The encoder graph: source ids -> cross-attention keys and values of every decoder layer."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto

from bundle.tensors import cross_key, cross_value, encoder_spec
from export.graphs.builder import GraphBuilder
from export.graphs.layers.plain_attention import (
    KeyValues,
    PositionIds,
    as_key_mask,
    attend,
    mask_bias,
    position_range,
    rounded_to_blocks,
    self_position_ids,
    token_mask,
)
from export.graphs.layers.sublayers import (
    attention_output,
    feed_forward,
    final_norm,
    memory_projections,
    residual,
    self_attention_inputs,
    split_heads,
)
from export.graphs.onnx_model import MICROSOFT

Attention = Callable[[str, str], str]
"""Appends a self-attention to queries, keys and values side by side, given its name."""


def build_encoder(builder: GraphBuilder) -> onnx.ModelProto:
    """Append the encoder to an empty builder; see `bundle.tensors.encoder_spec`."""
    architecture = builder.network.architecture
    hidden = builder.embedding("input_ids", "source", leading_positions(builder, "input_ids"))
    attend_to = _plain_attention(builder) if builder.is_plain else _fused_attention(builder)
    for i in range(architecture.num_encoder_layers):
        layer = f"encoder.layers.{i}"

        def attend(value: str, layer: str = layer) -> str:
            attention = f"{layer}.self_attention"
            inputs = self_attention_inputs(builder, value, attention)
            context = attend_to(inputs, attention)
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


def leading_positions(builder: GraphBuilder, ids: str, side: str = "source") -> str | None:
    """Positions 0 .. length - 1 for ids [batch, length]; None where none are added."""
    table = getattr(builder.network, f"{side}_positions")
    if not table.shape[1]:
        return None
    start, axes = builder.constant([0], np.int64), builder.constant([0], np.int64)
    weight = builder.weight(f"{side}_positions", table)
    return builder.add("Slice", weight, start, length_of(builder, ids), axes)


def length_of(builder: GraphBuilder, ids: str) -> str:
    """Second axis of [batch, length], int64 [1]."""
    return builder.add("Shape", ids, start=1, end=2)


def _fused_attention(builder: GraphBuilder) -> Attention:
    heads = builder.network.architecture.num_heads
    last_key = builder.add("Sub", "source_lengths", builder.constant(1, np.int32))
    total = builder.add("Cast", length_of(builder, "input_ids"), to=TensorProto.INT32)

    def append(inputs: str, _: str) -> str:
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

    return append


def _plain_attention(builder: GraphBuilder) -> Attention:
    length = length_of(builder, "input_ids")
    num_keys = rounded_to_blocks(builder, length)
    position_ids = position_range(builder, "source", num_keys)
    tokens = as_key_mask(builder, token_mask(builder, position_ids, "source_lengths"))
    bias = mask_bias(builder, tokens)
    queries = self_position_ids(builder, position_range(builder, "source", length)).query
    positions = PositionIds(query=queries, key=position_ids)
    missing = builder.add("Sub", num_keys, length)

    def append(inputs: str, attention: str) -> str:
        query, key, value = split_heads(builder, inputs, 3)
        key, value = (_longer(builder, vectors, missing) for vectors in (key, value))
        key_values = KeyValues(key=key, value=value, bias=bias, positions=positions)
        return attend(builder, attention, query, key_values)[0]

    return append


def _longer(builder: GraphBuilder, vectors: str, missing: str) -> str:
    """[batch, heads, length, head_dim] with zeros behind the last tokens."""
    before, after = builder.constant([0] * 6, np.int64), builder.constant([0], np.int64)
    return builder.add("Pad", vectors, builder.add("Concat", before, missing, after, axis=0))
