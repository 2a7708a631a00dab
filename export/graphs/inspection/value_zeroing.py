"""The graph of value zeroing: how far each layer's output moves without a token's values.

It is made from the stored `attention.onnx`, so it reads the same weights with the same (quantised)
products, and a bundle from before this graph can be given one.
"""

import numpy as np
import onnx

from bundle.manifest import Architecture
from bundle.tensors import value_zeroing_spec
from export.graphs.inspection.attention_blocks import AttentionBlock, attention_blocks, layer_output
from export.graphs.rewriting.edited_graph import EditedGraph

_SMALLEST_SQUARE = 1e-24


def build_value_zeroing(attention: onnx.ModelProto, architecture: Architecture) -> onnx.ModelProto:
    """Put factors on values and distances behind layers; see `bundle.tensors.value_zeroing_spec`.

    Args:
        attention: `attention.onnx`; its weights may be references to the weight file.
        architecture: Of the bundle.
    """
    graph = EditedGraph(attention)
    blocks = attention_blocks(graph.nodes, architecture)
    distances: dict[str, list[str]] = {"encoder": [], "decoder": []}
    for block in blocks:
        _weaken(graph, block)
        if block.kind != "decoder":  # the last attention of a layer
            stack = "encoder" if block.kind == "encoder" else "decoder"
            distances[stack].append(_measure(graph, block, architecture.d_model))
    for stack, values in distances.items():
        graph.stacked(values, f"{stack}_distances")
    return graph.model("value_zeroing", value_zeroing_spec(architecture))


def _weaken(graph: EditedGraph, block: AttentionBlock) -> None:
    """Multiply the values that a block reads by what is kept of each token."""
    side = "target" if block.kind == "decoder" else "source"
    is_loop = block.reader.op_type == "Scan"
    # [batch, heads, key, head_dim], or those of a loop [batch, target, d_model].
    axes = graph.constant(*(("loop_axes", [2]) if is_loop else ("head_axes", [1, 3])), np.int64)
    keep = graph.put("Unsqueeze", f"{side}_keep", axes)
    values = block.reader.input[block.values_index]
    block.reader.input[block.values_index] = graph.put("Mul", values, keep)


def _measure(graph: EditedGraph, block: AttentionBlock, width: int) -> str:
    """The distance behind a layer, [batch, length]; what follows reads the base rows."""
    output = layer_output(graph.nodes, block)
    base = graph.put("Gather", output, "base_rows", axis=0)
    graph.read_instead(output, base, but=[base])
    difference = graph.put("Sub", _unit(graph, output, width), _unit(graph, base, width))
    square = graph.sum_of_channels(graph.put("Mul", difference, difference), width)
    half = graph.put("Mul", square, graph.constant("half", 0.5, np.float32))
    return graph.put("Squeeze", half, graph.constant("last_axis", [2], np.int64))


def _unit(graph: EditedGraph, vectors: str, width: int) -> str:
    """Half the square of the difference of such is 1 - cos, exact where the cosine is near 1."""
    square = graph.sum_of_channels(graph.put("Mul", vectors, vectors), width)
    smallest = graph.constant("smallest_square", _SMALLEST_SQUARE, np.float32)
    return graph.put("Div", vectors, graph.put("Sqrt", graph.put("Max", square, smallest)))
