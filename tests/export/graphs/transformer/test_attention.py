"""The attention graph rounds keys and values as the decoder's cache does."""

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bundle.tensors import GraphSpec, TensorSpec
from export.graphs.builder import GraphBuilder
from export.graphs.layers.sublayers import split_heads
from export.graphs.onnx_model import initializer
from export.graphs.transformer.attention import rounded_as_cached
from export.graphs.transformer.decoder import cached_attention
from tests.export.networks import network, random_transformer

ROWS, CAPACITY = 500, 2
Float32 = NDArray[np.float32]


def test_keys_and_values_are_rounded_as_in_the_decoder() -> None:
    """Values on and beside the border of two steps, and beyond the last one."""
    random = np.random.default_rng(0)
    shape = random_transformer().architecture
    scales = random.uniform(0.003, 0.1, shape.d_model).astype(np.float32)
    steps = random.integers(-140, 140, (ROWS, shape.d_model))
    fractions = random.choice([0.0, 0.25, 0.5], steps.shape)
    values = ((steps + fractions).astype(np.float32) * scales).astype(np.float32)
    kept, context, inspected = _both(values, scales)
    np.testing.assert_array_equal(inspected, context)
    assert (kept.min(), kept.max()) == (-128, 127)
    # The obvious arithmetic is another one, and these values show it.
    assert (np.clip(np.rint(values / scales), -128, 127) != kept).any()


def _both(values: Float32, scales: Float32) -> tuple[NDArray[np.int8], Float32, Float32]:
    """The first token of rows, which attends to nothing but itself.

    Args:
        values: Its queries, keys and values alike, float32 [rows, d_model].
        scales: Of the cache, float32 [d_model].

    Returns:
        Cached values int8 [rows, d_model], the context that the decoder's operator computes from
        them, and what the attention graph takes them for, float32 [rows, d_model].
    """
    builder = GraphBuilder(network(random_transformer()), None)
    architecture = builder.network.architecture
    arguments = ["inputs", "", "", "past_key", "past_value", "positions", "total"]
    present = ["present_key", "present_value"]
    pair = (scales, scales)
    builder.rename(cached_attention(builder, arguments, present, "served", pair), "context")
    (by_head,) = split_heads(builder, "values", 1)
    builder.rename(rounded_as_cached(builder, by_head, "seen", scales), "inspected")
    heads, head_dim = architecture.num_heads, architecture.head_dim
    axes = (ROWS, heads, CAPACITY, head_dim)
    empty = np.zeros(axes, np.int8)
    feeds: dict[str, NDArray[np.generic]] = {
        "inputs": np.tile(values, 3)[:, None],
        "values": values[:, None],
        "past_key": empty,
        "past_value": empty,
        "positions": np.zeros(ROWS, np.int32),
        "total": np.ones(1, np.int32),
    }
    session = _open(builder, feeds, present)
    cached, context, inspected = session.run(["present_value", "context", "inspected"], feeds)
    return (
        cached[:, :, 0].reshape(values.shape),
        context[:, 0],
        inspected[:, :, 0].reshape(values.shape),
    )


def _open(
    builder: GraphBuilder, feeds: dict[str, NDArray[np.generic]], present: list[str]
) -> ort.InferenceSession:
    inputs = [TensorSpec(name=n, dtype=a.dtype.name, shape=a.shape) for n, a in feeds.items()]
    axes = feeds["past_key"].shape
    outputs = [TensorSpec(name=name, dtype="int8", shape=axes) for name in present]
    spec = GraphSpec(inputs=tuple(inputs), outputs=tuple(outputs))
    graph = builder.model("cache", spec, ["context", "inspected"])
    graph.graph.initializer.extend([initializer(n, w) for n, w in builder.weights.items()])
    return ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
