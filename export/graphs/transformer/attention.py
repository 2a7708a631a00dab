"""The attention graph: the teacher-forced pass, with every attention weight as an output.

It has the same (quantised) linear layers as encoder and decoder, and computes attention with plain
products and a softmax, because the fused operator of the other graphs hides the weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx

from bundle.tensors import attention_spec
from export.graphs.builder import GraphBuilder
from export.graphs.layers.plain_attention import (
    KeyValues,
    PositionIds,
    as_float,
    as_key_mask,
    attend,
    dequantized_from_cache,
    mask_bias,
    position_range,
    quantized_for_cache,
    self_position_ids,
    token_mask,
)
from export.graphs.layers.recurrence import recurrent_pass
from export.graphs.layers.sublayers import (
    attention_output,
    feed_forward,
    final_norm,
    memory_projections,
    residual,
    self_attention_inputs,
    split_heads,
)
from export.graphs.transformer.encoder import leading_positions, length_of
from export.network import Float32
from export.quantization import LayerCacheScales


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sequence:
    """One of the two sequences of every pair."""

    position_ids: str
    """0 .. length - 1, int32 [length]."""
    tokens: str
    """Bool [batch, length], false on padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mask:
    """Mask of the keys, and of the queries that are tokens."""

    bias: str
    """0 or a large negative, [batch, 1, 1 or query, key]."""
    is_query: str
    """1.0 on tokens, 0.0 on padding, [batch, 1, query, 1]."""
    positions: PositionIds | None


def build_attention(
    builder: GraphBuilder, *, with_activations: bool = False
) -> tuple[onnx.ModelProto, list[str]]:
    """Append the teacher-forced pass to an empty builder; see `bundle.tensors.attention_spec`.

    Args:
        builder: Empty.
        with_activations: Also output the input of every linear layer, for calibration.

    Returns:
        The graph, and the value names of its activations in the order of `builder.activations`.
    """
    source, target = _side(builder, "source"), _side(builder, "target")
    memory = _memory(builder, _encode(builder, source))
    hidden = _decode(builder, memory, source, target)
    log_probs = builder.add("LogSoftmax", builder.vocabulary_projection(hidden), axis=-1)
    axes = builder.constant([2], np.int64)
    labels = builder.add("Unsqueeze", "label_ids", axes)
    chosen = builder.add("GatherElements", log_probs, labels, axis=2)
    chosen = builder.add("Squeeze", chosen, axes)
    builder.rename(builder.add("Mul", chosen, as_float(builder, target.tokens)), "log_probs")
    values = list(builder.activations.values()) if with_activations else []
    spec = attention_spec(builder.network.architecture)
    return builder.model("attention", spec, values), values


def _encode(builder: GraphBuilder, source: _Sequence) -> str:
    hidden = builder.embedding("source_ids", "source", leading_positions(builder, "source_ids"))
    mask = _self_mask(builder, source)
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
    builder: GraphBuilder, memory: list[tuple[str, str]], source: _Sequence, target: _Sequence
) -> str:
    positions = leading_positions(builder, "target_ids", "target")
    hidden = builder.embedding("target_ids", "target", positions)
    self_mask = _self_mask(builder, target, is_causal=True)
    cross_mask = _cross_mask(builder, target, source)
    self_maps: list[str] = []
    cross_maps: list[str] = []
    for i in range(builder.network.architecture.num_decoder_layers):
        layer = f"decoder.layers.{i}"
        if builder.network.architecture.decoder_cell == "ssru":
            remember = _recurrence(builder, i, target, self_mask, self_maps)
            hidden = residual(builder, hidden, f"{layer}.recurrence_norm", remember)
        else:
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
    """Keys and values of each decoder layer, rounded as in the decoder's cache."""
    pairs = memory_projections(builder, memory)
    if builder.cache is None:
        return pairs
    return [
        (
            dequantized_from_cache(builder, key, f"{i}.cross_key", scales.cross_key),
            dequantized_from_cache(builder, value, f"{i}.cross_value", scales.cross_value),
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
            key = rounded_as_cached(builder, key, f"{attention}.key", scales.self_key)
            values = rounded_as_cached(builder, values, f"{attention}.value", scales.self_value)
        context = _attend(builder, attention, query, (key, values), mask, maps)
        return attention_output(builder, context, attention)

    return append


def _recurrence(
    builder: GraphBuilder, layer: int, target: _Sequence, mask: _Mask, maps: list[str]
) -> Callable[[str], str]:
    def append(value: str) -> str:
        outputs, shares = recurrent_pass(builder, value, layer, target.position_ids)
        maps.append(builder.add("Mul", shares, mask.is_query))
        return outputs

    return append


def rounded_as_cached(builder: GraphBuilder, value: str, name: str, scales: Float32) -> str:
    """Keys or values [batch, heads, target, head_dim], rounded as by the cache."""
    return dequantized_from_cache(
        builder, quantized_for_cache(builder, value, name, scales), name, scales
    )


def _cross_attention(
    builder: GraphBuilder, memory: tuple[str, str], layer: int, mask: _Mask, maps: list[str]
) -> Callable[[str], str]:
    attention = f"decoder.layers.{layer}.cross_attention"

    def append(value: str) -> str:
        projected = builder.linear(value, f"{attention}.query", [f"{attention}.query"])
        (query,) = split_heads(builder, projected, 1)
        context = _attend(builder, attention, query, memory, mask, maps)
        return attention_output(builder, context, attention)

    return append


def _attend(
    builder: GraphBuilder,
    attention: str,
    query: str,
    memory: tuple[str, str],
    mask: _Mask,
    maps: list[str],
) -> str:
    key, value = memory
    key_values = KeyValues(key=key, value=value, bias=mask.bias, positions=mask.positions)
    context, weights = attend(builder, attention, query, key_values)
    maps.append(builder.add("Mul", weights, mask.is_query))
    return context


def _stack(builder: GraphBuilder, maps: list[str], name: str) -> None:
    """Maps of all layers as one output [batch, layers, heads, query, key]."""
    axes = builder.constant([1], np.int64)
    layers = [builder.add("Unsqueeze", value, axes) for value in maps]
    builder.rename(builder.add("Concat", *layers, axis=1), name)


def _side(builder: GraphBuilder, side: str) -> _Sequence:
    position_ids = position_range(builder, side, length_of(builder, f"{side}_ids"))
    return _Sequence(
        position_ids=position_ids, tokens=token_mask(builder, position_ids, f"{side}_lengths")
    )


def _self_mask(builder: GraphBuilder, side: _Sequence, *, is_causal: bool = False) -> _Mask:
    allowed = as_key_mask(builder, side.tokens)
    if is_causal:
        # Bool [query, key]: no token sees a later one.
        rows = builder.add("Unsqueeze", side.position_ids, builder.constant([1], np.int64))
        allowed = builder.add("And", allowed, builder.add("LessOrEqual", side.position_ids, rows))
    return _mask(builder, side, allowed, self_position_ids(builder, side.position_ids))


def _cross_mask(builder: GraphBuilder, query: _Sequence, key: _Sequence) -> _Mask:
    return _mask(builder, query, as_key_mask(builder, key.tokens), None)


def _mask(
    builder: GraphBuilder, query: _Sequence, allowed: str, positions: PositionIds | None
) -> _Mask:
    rows = builder.add("Unsqueeze", query.tokens, builder.constant([1, 3], np.int64))
    return _Mask(
        bias=mask_bias(builder, allowed), is_query=as_float(builder, rows), positions=positions
    )
