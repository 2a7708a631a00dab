"""The attention graph: the teacher-forced pass, with every attention weight as an output.

It reads the same (quantised) linear layers as encoder and decoder, and computes attention with
plain products and a softmax, where the other graphs use a fused operator that hides the weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx

from bundle.tensors import attention_spec
from export.graphs.builder import GraphBuilder
from export.graphs.encoder import leading_positions, length_of
from export.graphs.layers import (
    attention_output,
    feed_forward,
    final_norm,
    memory_projections,
    residual,
    self_attention_inputs,
    split_heads,
)
from export.graphs.plain_attention import (
    Attended,
    Places,
    allowing,
    as_float,
    attend,
    into_cache,
    is_token,
    numbers,
    out_of_cache,
    over_keys,
    sequence_places,
)
from export.network import Float32
from export.quantization.grids import LayerCacheScales


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One of the two sequences of every pair."""

    counted: str
    """0 .. length - 1, int32 [length]."""
    tokens: str
    """Bool [batch, length], false on padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mask:
    """Where attention is allowed, and which of its rows are tokens."""

    bias: str
    """0 or a large negative, [batch, 1, 1 or query, key]."""
    is_query: str
    """1.0 on tokens, 0.0 on padding, [batch, 1, query, 1]."""
    places: Places | None


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


def _encode(builder: GraphBuilder, source: _Side) -> str:
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
    builder: GraphBuilder, memory: list[tuple[str, str]], source: _Side, target: _Side
) -> str:
    positions = leading_positions(builder, "target_ids", "target")
    hidden = builder.embedding("target_ids", "target", positions)
    self_mask = _self_mask(builder, target, is_causal=True)
    cross_mask = _cross_mask(builder, target, source)
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
            out_of_cache(builder, key, f"{i}.cross_key", scales.cross_key),
            out_of_cache(builder, value, f"{i}.cross_value", scales.cross_value),
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
        context = _attend(builder, attention, query, (key, values), mask, maps)
        return attention_output(builder, context, attention)

    return append


def through_cache(builder: GraphBuilder, value: str, name: str, scales: Float32) -> str:
    """What is left of keys or values [batch, heads, target, head_dim] that went to the cache."""
    return out_of_cache(builder, into_cache(builder, value, name, scales), name, scales)


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
    attended = Attended(key=key, value=value, bias=mask.bias, places=mask.places)
    context, weights = attend(builder, attention, query, attended)
    maps.append(builder.add("Mul", weights, mask.is_query))
    return context


def _stack(builder: GraphBuilder, maps: list[str], name: str) -> None:
    """Maps of all layers as one output [batch, layers, heads, query, key]."""
    axes = builder.constant([1], np.int64)
    layers = [builder.add("Unsqueeze", value, axes) for value in maps]
    builder.rename(builder.add("Concat", *layers, axis=1), name)


def _side(builder: GraphBuilder, side: str) -> _Side:
    counted = numbers(builder, side, length_of(builder, f"{side}_ids"))
    return _Side(counted=counted, tokens=is_token(builder, counted, f"{side}_lengths"))


def _self_mask(builder: GraphBuilder, side: _Side, *, is_causal: bool = False) -> _Mask:
    allowed = over_keys(builder, side.tokens)
    if is_causal:
        # Bool [query, key]: no token sees a later one.
        rows = builder.add("Unsqueeze", side.counted, builder.constant([1], np.int64))
        allowed = builder.add("And", allowed, builder.add("LessOrEqual", side.counted, rows))
    return _mask(builder, side, allowed, sequence_places(builder, side.counted))


def _cross_mask(builder: GraphBuilder, query: _Side, key: _Side) -> _Mask:
    return _mask(builder, query, over_keys(builder, key.tokens), None)


def _mask(builder: GraphBuilder, query: _Side, allowed: str, places: Places | None) -> _Mask:
    rows = builder.add("Unsqueeze", query.tokens, builder.constant([1, 3], np.int64))
    return _Mask(bias=allowing(builder, allowed), is_query=as_float(builder, rows), places=places)
