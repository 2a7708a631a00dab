"""Attention from plain products and a softmax: any score, any positions, and visible weights.

The attention graph uses it because the fused operator hides the weights; encoder and decoder use
it where the fused operator does not support the network. There a row has as many keys as the
longest row of its batch, in whole blocks, so that its sums do not depend on the batch.
"""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from export.graphs.builder import MASKED_SCORE, GraphBuilder
from export.network import Float32

SMALLEST_SQUARE = 1e-24
BLOCK = 64
"""Sums run in vectors of at most 16, four side by side: empty blocks do not change their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionIds:
    """Positions of the queries and the keys of a self-attention in their sequence."""

    query: str
    """int32 [batch or 1, query]."""
    key: str
    """int32 [key]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValues:
    """Keys and values that queries attend to."""

    key: str
    """float32 [batch, heads, key, head_dim]."""
    value: str
    """float32 [batch, heads, key, head_dim]."""
    bias: str
    """Added to scores: 0, or a large negative where attention is not allowed."""
    positions: PositionIds | None = None
    """None in cross-attention, which has no distances."""


def attend(
    builder: GraphBuilder, attention: str, query: str, key_values: KeyValues
) -> tuple[str, str]:
    """Attend from every query.

    Args:
        builder: What is built.
        attention: Name of the attention in the state dict.
        query: [batch, heads, query, head_dim].
        key_values: Keys and values that it attends to.

    Returns:
        Context of all heads [batch, query, d_model], and weights [batch, heads, query, key].
    """
    scores = _positioned_scores(builder, attention, query, key_values)
    weights = builder.add("Softmax", builder.add("Add", scores, key_values.bias), axis=-1)
    context = builder.add("MatMul", weights, key_values.value)
    context = builder.add("Transpose", context, perm=[0, 2, 1, 3])
    d_model = builder.network.architecture.d_model
    joined = builder.add("Reshape", context, builder.constant([0, 0, d_model], np.int64))
    return joined, weights


def position_range(builder: GraphBuilder, side: str, length: str) -> str:
    """0 .. length - 1, int32 [length], of a length int64 [1]."""
    capacity = _rounded_to_blocks(len(getattr(builder.network, f"{side}_positions")))
    position_ids = builder.weight(f"{side}_numbers", np.arange(capacity, dtype=np.int32))
    zero = builder.constant([0], np.int64)
    return builder.add("Slice", position_ids, zero, length, zero)


def rounded_to_blocks(builder: GraphBuilder, length: str) -> str:
    """A length, int64 [1], rounded up to whole blocks."""
    block, rest = (builder.constant([n], np.int64) for n in (BLOCK, BLOCK - 1))
    blocks = builder.add("Div", builder.add("Add", length, rest), block)
    return builder.add("Mul", blocks, block)


def _rounded_to_blocks(length: int) -> int:
    return -(-length // BLOCK) * BLOCK


def self_position_ids(builder: GraphBuilder, position_ids: str) -> PositionIds:
    """Position ids of a whole sequence that attends to itself, the same for every row."""
    query = builder.add("Unsqueeze", position_ids, builder.constant([0], np.int64))
    return PositionIds(query=query, key=position_ids)


def token_mask(builder: GraphBuilder, position_ids: str, lengths: str) -> str:
    """Bool [batch, length], false on padding."""
    column = builder.add("Unsqueeze", lengths, builder.constant([1], np.int64))
    return builder.add("Less", position_ids, column)


def as_key_mask(builder: GraphBuilder, tokens: str) -> str:
    """[batch, key] -> [batch, 1, 1, key]: the same for every head and query."""
    return builder.add("Unsqueeze", tokens, builder.constant([1, 2], np.int64))


def mask_bias(builder: GraphBuilder, allowed: str) -> str:
    """The bias that masks all but the allowed keys."""
    zero, masked = builder.constant(0, np.float32), builder.constant(MASKED_SCORE, np.float32)
    return builder.add("Where", allowed, zero, masked)


def quantized_for_cache(builder: GraphBuilder, value: str, name: str, scales: Float32) -> str:
    """Keys or values [batch, heads, length, head_dim] as an int8 cache holds them.

    Bit-identical to the fused operator, which multiplies by the inverse of the scale; a division
    may round to another integer.
    """
    inverse = _by_head(builder, f"{name}.inverse", np.float32(1) / scales)
    return builder.round_to_int8(builder.add("Mul", value, inverse))


def dequantized_from_cache(builder: GraphBuilder, kept: str, name: str, scales: Float32) -> str:
    """Keys or values of an int8 cache in float32."""
    return builder.widen(kept, _by_head(builder, name, scales))


def _by_head(builder: GraphBuilder, name: str, scales: Float32) -> str:
    shape = builder.network.architecture
    return builder.weight(
        f"{name}.scales_by_head", scales.reshape(shape.num_heads, 1, shape.head_dim)
    )


def _positioned_scores(
    builder: GraphBuilder, attention: str, query: str, key_values: KeyValues
) -> str:
    kind, positions, key = (
        builder.network.architecture.positions,
        key_values.positions,
        key_values.key,
    )
    if positions is not None and kind == "rotary":
        axes = builder.constant([1], np.int64)
        query = _rotated(builder, query, builder.add("Unsqueeze", positions.query, axes))
        key = _rotated(builder, key, positions.key)
    scores = _scores(builder, attention, query, key)
    if positions is not None and kind == "relative":
        return builder.add("Add", scores, _distance_bias(builder, attention, positions))
    return scores


def _rotated(builder: GraphBuilder, vectors: str, positions: str) -> str:
    """Pairs of channels of [.., length, head_dim], rotated by the angles of their positions."""
    from model.transformer.positions import wave_angles  # here: it imports torch

    network, head_dim = builder.network, builder.network.architecture.head_dim
    length = _rounded_to_blocks(max(len(network.source_positions), len(network.target_positions)))
    angle = wave_angles(length, head_dim).repeat_interleave(2, dim=1)
    cosine, sine = (
        builder.add("Gather", builder.weight(f"rotary.{name}", table.float().numpy()), positions)
        for name, table in (("cosine", angle.cos()), ("sine", angle.sin()))
    )
    quarter = builder.weight("rotary.quarter", _quarter_rotation(head_dim))
    across = builder.add("Mul", builder.add("MatMul", vectors, quarter), sine)
    return builder.add("Add", builder.add("Mul", vectors, cosine), across)


def _quarter_rotation(head_dim: int) -> Float32:
    """Maps every pair of channels (a, b) of a row vector to (-b, a)."""
    matrix = np.zeros((head_dim, head_dim), np.float32)
    even = np.arange(0, head_dim, 2)
    matrix[even + 1, even], matrix[even, even + 1] = -1, 1
    return matrix


def _distance_bias(builder: GraphBuilder, attention: str, positions: PositionIds) -> str:
    """[batch or 1, heads, query, key]."""
    table = builder.network.weights[f"{attention}.distance.weight"]
    longest = len(table) // 2
    query = builder.add("Unsqueeze", positions.query, builder.constant([2], np.int64))
    limits = [builder.constant(limit, np.int32) for limit in (-longest, longest)]
    distance = builder.add("Clip", builder.add("Sub", positions.key, query), *limits)
    rows = builder.add("Add", distance, limits[1])
    weight = builder.weight(f"{attention}.distance.weight", table)
    return builder.add("Transpose", builder.add("Gather", weight, rows), perm=[0, 3, 1, 2])


def _scores(builder: GraphBuilder, attention: str, query: str, key: str) -> str:
    kinds = {
        "scaled_dot": _scaled_dot,
        "additive": _additive,
        "bilinear": _bilinear,
        "euclidean": _euclidean,
        "cosine": _cosine,
    }
    kind = kinds[builder.network.architecture.attention_score]
    return kind(builder, f"{attention}.score", query, key)


def _scaled_dot(builder: GraphBuilder, _: str, query: str, key: str) -> str:
    return builder.add("Mul", _product(builder, query, key), _scale(builder))


def _additive(builder: GraphBuilder, score: str, query: str, key: str) -> str:
    weight = builder.network.weights[f"{score}.weight"][:, None, :, None]
    rows = builder.add("Unsqueeze", query, builder.constant([3], np.int64))
    columns = builder.add("Unsqueeze", key, builder.constant([2], np.int64))
    hidden = builder.add("Tanh", builder.add("Add", rows, columns))
    product = builder.add("MatMul", hidden, builder.weight(f"{score}.weight", weight))
    return builder.add("Squeeze", product, builder.constant([-1], np.int64))


def _bilinear(builder: GraphBuilder, score: str, query: str, key: str) -> str:
    weight = builder.weight(f"{score}.weight", builder.network.weights[f"{score}.weight"])
    return _scaled_dot(builder, score, builder.add("MatMul", query, weight), key)


def _euclidean(builder: GraphBuilder, _: str, query: str, key: str) -> str:
    columns = builder.add("Transpose", _square(builder, key), perm=[0, 1, 3, 2])
    lengths = builder.add("Add", _square(builder, query), columns)
    lengths = builder.add("Mul", lengths, builder.constant(0.5, np.float32))
    difference = builder.add("Sub", _product(builder, query, key), lengths)
    return builder.add("Mul", difference, _scale(builder))


def _cosine(builder: GraphBuilder, score: str, query: str, key: str) -> str:
    sharpness = builder.network.weights[f"{score}.sharpness"][:, None, None]
    product = _product(builder, _unit(builder, query), _unit(builder, key))
    return builder.add("Mul", product, builder.weight(f"{score}.sharpness", sharpness))


def _unit(builder: GraphBuilder, vectors: str) -> str:
    smallest = builder.constant(SMALLEST_SQUARE, np.float32)
    norm = builder.add("Sqrt", builder.add("Max", _square(builder, vectors), smallest))
    return builder.add("Div", vectors, norm)


def _square(builder: GraphBuilder, vectors: str) -> str:
    """Squared norms of vectors [.., head_dim]: [.., 1].

    A product, because the order of a reduction depends on the alignment of the vector in memory.
    """
    ones = np.ones((builder.network.architecture.head_dim, 1), np.float32)
    squares = builder.add("Mul", vectors, vectors)
    return builder.add("MatMul", squares, builder.weight("ones", ones))


def _product(builder: GraphBuilder, query: str, key: str) -> str:
    return builder.add("MatMul", query, builder.add("Transpose", key, perm=[0, 1, 3, 2]))


def _scale(builder: GraphBuilder) -> str:
    return builder.constant(builder.network.architecture.head_dim**-0.5, np.float32)


def as_float(builder: GraphBuilder, value: str) -> str:
    """1.0 where a boolean is true."""
    return builder.add("Cast", value, to=TensorProto.FLOAT)
