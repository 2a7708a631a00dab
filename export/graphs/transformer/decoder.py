"""The decoder graph: one new token per row -> logits, with the cache updated in place."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx
from numpy.typing import NDArray

from bundle.tensors import (
    cross_key,
    cross_value,
    decoder_spec,
    past_key,
    past_value,
    present_cross_key,
    present_cross_value,
    present_key,
    present_value,
)
from export.graphs.builder import GraphBuilder
from export.graphs.layers import plain_step
from export.graphs.layers.plain_step import Step, begin_step
from export.graphs.layers.recurrence import first_rows, recurrent_step
from export.graphs.layers.sublayers import (
    attention_output,
    feed_forward,
    final_norm,
    residual,
    self_attention_inputs,
)
from export.graphs.onnx_model import MICROSOFT
from export.graphs.transformer.shortlist import project
from export.lexicon.shortlist import ShortlistPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """Values that all layers of a step share."""

    step: Step | None
    """Shared values of plain attention; None: the operator is fused."""
    last_source: str
    """Index of each row's last source token, int32 [rows]."""
    is_first: str
    """True for rows whose recurrent state is empty, bool [rows, 1]; empty without a recurrence."""


def build_decoder(builder: GraphBuilder, shortlist: ShortlistPlan | None = None) -> onnx.ModelProto:
    """Append the decoder to an empty builder; see `bundle.tensors.decoder_spec`."""
    architecture = builder.network.architecture
    hidden = builder.embedding("input_ids", "target", _positions(builder))
    shared = _shared(builder)
    for i in range(architecture.num_decoder_layers):
        hidden = _layer(builder, shared, i, hidden)
    axes = builder.constant([1], np.int64)
    hidden = builder.add("Squeeze", final_norm(builder, hidden, "decoder"), axes)
    logits = (
        project(builder, hidden, shortlist) if shortlist else builder.vocabulary_projection(hidden)
    )
    builder.rename(logits, "logits")
    report = shortlist.report if shortlist else None
    return builder.model("decoder", decoder_spec(architecture, builder.cache_dtype, report))


def _shared(builder: GraphBuilder) -> _Shared:
    is_recurrent = builder.network.architecture.decoder_cell == "ssru"
    return _Shared(
        step=begin_step(builder) if builder.is_plain else None,
        last_source=builder.add("Sub", "source_lengths", builder.constant(1, np.int32)),
        is_first=first_rows(builder) if is_recurrent else "",
    )


def _layer(builder: GraphBuilder, shared: _Shared, index: int, hidden: str) -> str:
    """A decoder layer, [rows, 1, d_model] in and out."""
    layer = f"decoder.layers.{index}"
    if shared.is_first:
        remember = partial(recurrent_step, builder, layer=index, is_first=shared.is_first)
        hidden = residual(builder, hidden, f"{layer}.recurrence_norm", remember)
    else:
        attend = partial(_attend, builder, shared, index)
        hidden = residual(builder, hidden, f"{layer}.self_attention_norm", attend)
    look = partial(_look, builder, shared, index)
    hidden = residual(builder, hidden, f"{layer}.cross_attention_norm", look)
    feed = partial(feed_forward, builder, layer=layer)
    return residual(builder, hidden, f"{layer}.feed_forward_norm", feed)


def _attend(builder: GraphBuilder, shared: _Shared, index: int, hidden: str) -> str:
    """Self-attention of a layer."""
    name = f"decoder.layers.{index}.self_attention"
    inputs = self_attention_inputs(builder, hidden, name)
    if shared.step is None:
        context = _self_attention(builder, inputs, index, name)
    else:
        context = plain_step.self_attention(builder, shared.step, inputs, index, name)
    return attention_output(builder, context, name)


def _look(builder: GraphBuilder, shared: _Shared, index: int, hidden: str) -> str:
    """Cross-attention of a layer."""
    name = f"decoder.layers.{index}.cross_attention"
    query = builder.linear(hidden, f"{name}.query", [f"{name}.query"])
    if shared.step is None:
        context = _cross_attention(builder, query, index, name, shared.last_source)
    else:
        context = plain_step.cross_attention(builder, shared.step, query, index, name)
    return attention_output(builder, context, name)


def _positions(builder: GraphBuilder) -> str | None:
    """Positions of each row's new token, [rows, 1, d_model]; None where none are added."""
    if not builder.network.target_positions.shape[1]:
        return None
    table = builder.weight("target_positions", builder.network.target_positions)
    axes = builder.constant([1], np.int64)
    return builder.add("Unsqueeze", builder.add("Gather", table, "positions"), axes)


def _self_attention(builder: GraphBuilder, inputs: str, layer: int, attention: str) -> str:
    past = [past_key(layer), past_value(layer)]
    present = [present_key(layer), present_value(layer)]
    arguments = [inputs, "", "", *past, "positions", "total"]
    cache = builder.layer_cache(layer)
    scales = (cache.self_key, cache.self_value) if cache else None
    return cached_attention(builder, arguments, present, attention, scales)


def _cross_attention(
    builder: GraphBuilder, query: str, layer: int, attention: str, last_source: str
) -> str:
    """Attention to the source: its keys and values are the past, and there are no new keys."""
    start, axis = builder.constant([0], np.int64), builder.constant([1], np.int64)
    no_keys = builder.add("Slice", query, start, start, axis)
    past = [cross_key(layer), cross_value(layer)]
    present = [present_cross_key(layer), present_cross_value(layer)]
    arguments = [query, no_keys, no_keys, *past, last_source, "source_total"]
    cache = builder.layer_cache(layer)
    scales = (cache.cross_key, cache.cross_value) if cache else None
    return cached_attention(builder, arguments, present, attention, scales, causal=0)


def cached_attention(
    builder: GraphBuilder,
    arguments: list[str],
    present: list[str],
    attention: str,
    scales: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    **attributes: object,
) -> str:
    """Attention over a cache that is extended in place by the new keys and values."""
    heads = builder.network.architecture.num_heads
    if scales is not None:
        names = (f"{attention}.key_scales", f"{attention}.value_scales")
        weights = [builder.weight(n, s) for n, s in zip(names, scales, strict=True)]
        # Five optional inputs are left out, such as rotary positions and a bias.
        arguments = [*arguments, "", "", "", "", "", *weights]
        kind = "PER_CHANNEL"
        attributes |= {"k_quant_type": kind, "v_quant_type": kind, "kv_cache_bit_width": 8}
    context = f"{attention}.context"
    outputs = [context, *present]
    attributes |= {"num_heads": heads, "kv_num_heads": heads}
    builder.produce("GroupQueryAttention", arguments, outputs, MICROSOFT, **attributes)
    return context
