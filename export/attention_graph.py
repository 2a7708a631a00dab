"""The attention graph: the teacher-forced pass, with every attention weight as an output.

It reads the same (quantised) linear layers as encoder and decoder, and computes attention with
plain products and a softmax, where the other graphs use a fused operator that hides the weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from bundle.tensors import attention_spec
from export.encoder_graph import leading_positions, length_of
from export.graph_builder import MASKED_SCORE, GraphBuilder
from export.layers import (
    attention_output,
    feed_forward,
    final_norm,
    memory_projections,
    residual,
    self_attention_inputs,
    split_heads,
)
from export.quantize import LayerCacheScales


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mask:
    """Where attention is allowed, and which of its rows are tokens."""

    bias: str
    """0 or a large negative, [batch, 1, 1 or query, key]."""
    is_query: str
    """1.0 on tokens, 0.0 on padding, [batch, 1, query, 1]."""


def build_attention(
    builder: GraphBuilder, *, with_activations: bool = False
) -> tuple[onnx.ModelProto, list[str]]:
    """Append the teacher-forced pass to an empty builder; see `bundle.tensors.attention_spec`.

    Args:
        builder: Empty.
        with_activations: Also output what every linear layer reads, for calibration.

    Returns:
        The graph, and the value names of its activations in the order of `builder.activations`.
    """
    source_tokens = _is_token(builder, "source_ids", "source_lengths", "source")
    target_tokens = _is_token(builder, "target_ids", "target_lengths", "target")
    memory = _memory(builder, _encode(builder, source_tokens))
    hidden = _decode(builder, memory, source_tokens, target_tokens)
    log_probs = builder.add("LogSoftmax", builder.vocabulary_projection(hidden), axis=-1)
    axes = builder.constant([2], np.int64)
    labels = builder.add("Unsqueeze", "label_ids", axes)
    chosen = builder.add("GatherElements", log_probs, labels, axis=2)
    chosen = builder.add("Squeeze", chosen, axes)
    builder.rename(builder.add("Mul", chosen, _float(builder, target_tokens)), "log_probs")
    values = list(builder.activations.values()) if with_activations else []
    spec = attention_spec(builder.network.architecture)
    return builder.model("attention", spec, values), values


def _encode(builder: GraphBuilder, source_tokens: str) -> str:
    hidden = builder.embedding("source_ids", "source", leading_positions(builder, "source_ids"))
    mask = _mask(builder, source_tokens, source_tokens)
    maps: list[str] = []
    for i in range(builder.network.architecture.num_encoder_layers):
        layer = f"encoder.layers.{i}"
        attend = _self_attention(builder, f"{layer}.self_attention", mask, maps)
        hidden = residual(builder, hidden, f"{layer}.self_attention_norm", attend)
        feed = _feed(builder, layer)
        hidden = residual(builder, hidden, f"{layer}.feed_forward_norm", feed)
    _stack(builder, maps, "encoder_attention")
    return final_norm(builder, hidden, "encoder")


def _decode(
    builder: GraphBuilder, memory: list[tuple[str, str]], source_tokens: str, target_tokens: str
) -> str:
    positions = leading_positions(builder, "target_ids", "target")
    hidden = builder.embedding("target_ids", "target", positions)
    self_mask = _mask(builder, target_tokens, target_tokens, is_causal=True)
    cross_mask = _mask(builder, target_tokens, source_tokens)
    self_maps: list[str] = []
    cross_maps: list[str] = []
    for i in range(builder.network.architecture.num_decoder_layers):
        layer = f"decoder.layers.{i}"
        attention, scales = f"{layer}.self_attention", builder.layer_cache(i)
        attend = _self_attention(builder, attention, self_mask, self_maps, scales)
        hidden = residual(builder, hidden, f"{layer}.self_attention_norm", attend)
        look = _cross_attention(builder, memory[i], i, cross_mask, cross_maps)
        hidden = residual(builder, hidden, f"{layer}.cross_attention_norm", look)
        feed = _feed(builder, layer)
        hidden = residual(builder, hidden, f"{layer}.feed_forward_norm", feed)
    _stack(builder, self_maps, "decoder_attention")
    _stack(builder, cross_maps, "cross_attention")
    return final_norm(builder, hidden, "decoder")


def _feed(builder: GraphBuilder, layer: str) -> Callable[[str], str]:
    return lambda value: feed_forward(builder, value, layer)


def _memory(builder: GraphBuilder, memory: str) -> list[tuple[str, str]]:
    """Keys and values of each decoder layer, as the decoder finds them in its cache."""
    pairs = memory_projections(builder, memory)
    if builder.cache is None:
        return pairs
    return [
        (
            builder.widen(key, _by_head(builder, f"{i}.cross_key", scales.cross_key)),
            builder.widen(value, _by_head(builder, f"{i}.cross_value", scales.cross_value)),
        )
        for i, ((key, value), scales) in enumerate(zip(pairs, builder.cache.layers, strict=True))
    ]


def _self_attention(
    builder: GraphBuilder,
    attention: str,
    mask: _Mask,
    maps: list[str],
    scales: LayerCacheScales | None = None,
) -> Callable[[str], str]:
    def append(value: str) -> str:
        inputs = self_attention_inputs(builder, value, attention)
        query, key, values = split_heads(builder, inputs, 3)
        if scales is not None:
            key = through_cache(builder, key, f"{attention}.key", scales.self_key)
            values = through_cache(builder, values, f"{attention}.value", scales.self_value)
        context = _attend(builder, query, key, values, mask, maps)
        return attention_output(builder, context, attention)

    return append


def through_cache(builder: GraphBuilder, value: str, name: str, scales: NDArray[np.float32]) -> str:
    """What is left of keys or values [batch, heads, target, head_dim] that went to the cache.

    To the bit what the decoder's operator leaves of them: it multiplies by the inverse of the
    scale, and a quotient may round to the next integer.
    """
    inverse = _by_head(builder, f"{name}.inverse", np.float32(1) / scales)
    kept = builder.round_to_int8(builder.add("Mul", value, inverse))
    return builder.widen(kept, _by_head(builder, name, scales))


def _by_head(builder: GraphBuilder, name: str, scales: NDArray[np.float32]) -> str:
    shape = builder.network.architecture
    return builder.weight(
        f"{name}.scales_by_head", scales.reshape(shape.num_heads, 1, shape.head_dim)
    )


def _cross_attention(
    builder: GraphBuilder, memory: tuple[str, str], layer: int, mask: _Mask, maps: list[str]
) -> Callable[[str], str]:
    attention = f"decoder.layers.{layer}.cross_attention"

    def append(value: str) -> str:
        projected = builder.linear(value, f"{attention}.query", [f"{attention}.query"])
        (query,) = split_heads(builder, projected, 1)
        context = _attend(builder, query, *memory, mask, maps)
        return attention_output(builder, context, attention)

    return append


def _attend(
    builder: GraphBuilder, query: str, key: str, value: str, mask: _Mask, maps: list[str]
) -> str:
    architecture = builder.network.architecture
    scale = builder.constant(architecture.head_dim**-0.5, np.float32)
    keys = builder.add("Transpose", key, perm=[0, 1, 3, 2])
    scores = builder.add("Mul", builder.add("MatMul", query, keys), scale)
    weights = builder.add("Softmax", builder.add("Add", scores, mask.bias), axis=-1)
    maps.append(builder.add("Mul", weights, mask.is_query))
    context = builder.add("MatMul", weights, value)
    context = builder.add("Transpose", context, perm=[0, 2, 1, 3])
    return builder.add("Reshape", context, builder.constant([0, 0, architecture.d_model], np.int64))


def _stack(builder: GraphBuilder, maps: list[str], name: str) -> None:
    """Maps of all layers as one output [batch, layers, heads, query, key]."""
    axes = builder.constant([1], np.int64)
    layers = [builder.add("Unsqueeze", value, axes) for value in maps]
    builder.rename(builder.add("Concat", *layers, axis=1), name)


def _is_token(builder: GraphBuilder, ids: str, lengths: str, side: str) -> str:
    """Bool [batch, length], false on padding."""
    capacity = len(getattr(builder.network, f"{side}_positions"))
    numbers = builder.weight(f"{side}_numbers", np.arange(capacity, dtype=np.int32))
    start, axes = builder.constant([0], np.int64), builder.constant([0], np.int64)
    numbers = builder.add("Slice", numbers, start, length_of(builder, ids), axes)
    column = builder.add("Unsqueeze", lengths, builder.constant([1], np.int64))
    return builder.add("Less", numbers, column)


def _mask(
    builder: GraphBuilder, query_tokens: str, key_tokens: str, *, is_causal: bool = False
) -> _Mask:
    allowed = builder.add("Unsqueeze", key_tokens, builder.constant([1, 2], np.int64))
    if is_causal:
        allowed = builder.add("And", allowed, _causal(builder))
    zero, masked = builder.constant(0, np.float32), builder.constant(MASKED_SCORE, np.float32)
    query = builder.add("Unsqueeze", query_tokens, builder.constant([1, 3], np.int64))
    return _Mask(
        bias=builder.add("Where", allowed, zero, masked),
        is_query=_float(builder, query),
    )


def _causal(builder: GraphBuilder) -> str:
    """Bool [query, key]: no token sees a later one."""
    start, axes = builder.constant([0], np.int64), builder.constant([0], np.int64)
    length = length_of(builder, "target_ids")
    numbers = builder.add("Slice", "target_numbers", start, length, axes)
    rows = builder.add("Unsqueeze", numbers, builder.constant([1], np.int64))
    return builder.add("LessOrEqual", numbers, rows)


def _float(builder: GraphBuilder, value: str) -> str:
    return builder.add("Cast", value, to=TensorProto.FLOAT)
