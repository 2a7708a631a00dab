"""The graph of states: what each layer of the encoder computes on the way.

It is made from the stored `attention.onnx`, as those of causes are: queries, keys and values,
activations of the feed-forward and norms of the residual stream become outputs.
"""

from collections.abc import Iterator

import numpy as np
import onnx

from bundle.manifest import Architecture
from bundle.tensors import states_spec
from export.graphs.inspection.attention_blocks import AttentionBlock, attention_blocks, layer_output
from export.graphs.rewriting.edited_graph import EditedGraph

_PROJECTIONS = ("queries", "keys", "values")


def build_states(attention: onnx.ModelProto, architecture: Architecture) -> onnx.ModelProto:
    """Put outputs behind the encoder's nodes; see `bundle.tensors.states_spec`.

    Args:
        attention: `attention.onnx`; its weights may be references to the weight file.
        architecture: Of the bundle.
    """
    graph = EditedGraph(attention)
    blocks = [b for b in attention_blocks(graph.nodes, architecture) if b.kind == "encoder"]
    found = [_projections(graph, block) for block in blocks]
    for name, values in zip(_PROJECTIONS, zip(*found, strict=True), strict=True):
        graph.stacked(values, name)
    graph.stacked([_activation(graph, block) for block in blocks], "activations")
    stream = [blocks[0].residual.input[0], *_stream(graph, blocks)]
    graph.stacked([_norm(graph, value, architecture.d_model) for value in stream], "residual_norms")
    return graph.model("states", states_spec(architecture))


def _projections(graph: EditedGraph, block: AttentionBlock) -> list[str]:
    """Queries, keys and values, each [batch, heads, source, head_dim]."""
    values = _producer(graph, block.reader.input[block.values_index])
    split = _producer(graph, _producer(graph, values.input[0]).input[0])
    assert split.op_type == "Split", "an attention graph of another form"
    reshaped = [_reader(graph, part, "Reshape").output[0] for part in split.output]
    return [str(_reader(graph, part, "Transpose").output[0]) for part in reshaped]


def _stream(graph: EditedGraph, blocks: list[AttentionBlock]) -> Iterator[str]:
    """The residual stream behind every attention and every feed-forward."""
    for block in blocks:
        yield block.result
        yield layer_output(graph.nodes, block)


def _activation(graph: EditedGraph, block: AttentionBlock) -> str:
    """What the feed-forward behind a block has inside, [batch, source, d_ff]."""
    behind = next(i for i, n in enumerate(graph.nodes) if block.result in n.output)
    bend = next(n for n in graph.nodes[behind:] if n.op_type in ("Relu", "Gelu", "Sigmoid"))
    if bend.op_type != "Sigmoid":
        return str(bend.output[0])
    return str(_reader(graph, bend.output[0], "Mul").output[0])  # of the value with its gate


def _norm(graph: EditedGraph, vectors: str, width: int) -> str:
    """Euclidean norm of each vector, [batch, source]."""
    square = graph.sum_of_channels(graph.put("Mul", vectors, vectors), width)
    root = graph.put("Sqrt", square)
    return graph.put("Squeeze", root, graph.constant("last_axis", [2], np.int64))


def _producer(graph: EditedGraph, value: str) -> onnx.NodeProto:
    return next(node for node in graph.nodes if value in node.output)


def _reader(graph: EditedGraph, value: str, operator: str) -> onnx.NodeProto:
    return next(n for n in graph.nodes if n.op_type == operator and value in n.input)
