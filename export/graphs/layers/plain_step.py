"""The attentions of a decoder step from plain operators, with the cache updated in place.

Slower than the fused operator, which reads each row only up to its own length: here every row is
read up to the longest.
"""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from bundle.tensors import (
    cross_key,
    cross_value,
    past_key,
    past_value,
    present_cross_key,
    present_cross_value,
    present_key,
    present_value,
)
from export.graphs.builder import GraphBuilder
from export.graphs.layers.plain_attention import (
    KeyValues,
    PositionIds,
    as_key_mask,
    attend,
    dequantized_from_cache,
    mask_bias,
    position_range,
    quantized_for_cache,
    rounded_to_blocks,
    token_mask,
)
from export.graphs.layers.sublayers import split_heads
from export.network import Float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Values that all layers of a step share."""

    num_keys: str
    """Keys that are read of every row, int64 [1]."""
    slot: str
    """Index of each row's new key, int64 [rows, heads, 1, head_dim]."""
    bias: str
    positions: PositionIds
    num_source: str
    """Source keys that are read of every row, int64 [1]."""
    source_bias: str


def begin_step(builder: GraphBuilder) -> Step:
    """Append the values that all layers share."""
    num_keys = _read_length(builder, "total", "target")
    num_source = _read_length(builder, "source_total", "source")
    key = position_range(builder, "target", num_keys)
    query = builder.add("Unsqueeze", "positions", builder.constant([1], np.int64))
    seen = as_key_mask(builder, builder.add("LessOrEqual", key, query))
    source = token_mask(builder, position_range(builder, "source", num_source), "source_lengths")
    return Step(
        num_keys=num_keys,
        slot=_slot(builder),
        bias=mask_bias(builder, seen),
        positions=PositionIds(query=query, key=key),
        num_source=num_source,
        source_bias=mask_bias(builder, as_key_mask(builder, source)),
    )


def _read_length(builder: GraphBuilder, longest: str, side: str) -> str:
    """Length of the longest row in whole blocks, at most the capacity of the cache."""
    capacity = len(getattr(builder.network, f"{side}_positions"))
    length = rounded_to_blocks(builder, builder.add("Cast", longest, to=TensorProto.INT64))
    return builder.add("Min", length, builder.constant([capacity], np.int64))


def _slot(builder: GraphBuilder) -> str:
    shape = builder.network.architecture
    rows = builder.add("Cast", "positions", to=TensorProto.INT64)
    rows = builder.add("Unsqueeze", rows, builder.constant([1, 2, 3], np.int64))
    one_key = builder.constant([1, shape.num_heads, 1, shape.head_dim], np.int64)
    return builder.add("Expand", rows, one_key)


def self_attention(
    builder: GraphBuilder, step: Step, inputs: str, layer: int, attention: str
) -> str:
    """Context [rows, 1, d_model] of queries, keys and values side by side."""
    query, key, value = split_heads(builder, inputs, 3)
    cache = builder.layer_cache(layer)
    scales = (cache.self_key, cache.self_value) if cache else (None, None)
    names = (
        ("key", key, past_key(layer), present_key(layer), scales[0]),
        ("value", value, past_value(layer), present_value(layer), scales[1]),
    )
    keys, values = (
        _appended(builder, step, f"{attention}.{kind}", new, (past, present), scale)
        for kind, new, past, present, scale in names
    )
    key_values = KeyValues(key=keys, value=values, bias=step.bias, positions=step.positions)
    return attend(builder, attention, query, key_values)[0]


def _appended(
    builder: GraphBuilder,
    step: Step,
    name: str,
    new: str,
    memory: tuple[str, str],
    scales: Float32 | None,
) -> str:
    """Write the new keys or values to the cache, and read all of it."""
    past, present = memory
    if scales is not None:
        new = quantized_for_cache(builder, new, name, scales)
    builder.produce("ScatterElements", [past, step.slot, new], [present], axis=2)
    return _read(builder, present, step.num_keys, name, scales)


def cross_attention(
    builder: GraphBuilder, step: Step, query: str, layer: int, attention: str
) -> str:
    """Context [rows, 1, d_model] of queries [rows, 1, d_model]."""
    # Both names share their memory: nothing is copied.
    builder.rename(cross_key(layer), present_cross_key(layer))
    builder.rename(cross_value(layer), present_cross_value(layer))
    cache = builder.layer_cache(layer)
    scales = (cache.cross_key, cache.cross_value) if cache else (None, None)
    keys, values = (
        _read(builder, memory, step.num_source, f"{attention}.{kind}", scale)
        for kind, memory, scale in (
            ("key", cross_key(layer), scales[0]),
            ("value", cross_value(layer), scales[1]),
        )
    )
    (heads,) = split_heads(builder, query, 1)
    key_values = KeyValues(key=keys, value=values, bias=step.source_bias)
    return attend(builder, attention, heads, key_values)[0]


def _read(
    builder: GraphBuilder, memory: str, length: str, name: str, scales: Float32 | None
) -> str:
    start, axis = builder.constant([0], np.int64), builder.constant([2], np.int64)
    held = builder.add("Slice", memory, start, length, axis)
    return held if scales is None else dequantized_from_cache(builder, held, name, scales)
