"""The graph of ALTI: every attention as a sum of vectors, one for each token that it reads.

It is made from the stored `attention.onnx`, as that of value zeroing is. The weights of the output
projection are taken as they are served: an int8 matrix times its scales.
"""

import numpy as np
import onnx

from bundle.manifest import Architecture
from bundle.tensors import alti_spec
from export.graphs.inspection.attention_blocks import AttentionBlock, attention_blocks
from export.graphs.rewriting.edited_graph import EditedGraph

_KINDS = ("encoder", "decoder", "cross")
_PARTS = ("values", "residual", "result")
"""Beside the weights, which are outputs of the attention graph already."""


def has_alti(architecture: Architecture) -> bool:
    """Whether the graph can be made: the output of a recurrence is no sum of value vectors."""
    return architecture.decoder_cell == "self_attention"


def build_alti(attention: onnx.ModelProto, architecture: Architecture) -> onnx.ModelProto:
    """Put projected values behind the attentions; see `bundle.tensors.alti_spec`.

    Args:
        attention: `attention.onnx`; its weights may be references to the weight file.
        architecture: Of the bundle; `has_alti` holds.
    """
    graph = EditedGraph(attention)
    found: dict[str, list[str]] = {f"{kind}_{part}": [] for kind in _KINDS for part in _PARTS}
    for block in attention_blocks(graph.nodes, architecture):
        for part, value in zip(_PARTS, _parts(graph, block, architecture), strict=True):
            found[f"{block.kind}_{part}"].append(value)
    for name, values in found.items():
        graph.stacked(values, name)
    return graph.model("alti", alti_spec(architecture))


def _parts(graph: EditedGraph, block: AttentionBlock, shape: Architecture) -> tuple[str, str, str]:
    """Values of a block in the order of `_PARTS`."""
    assert block.projection is not None
    by_head = graph.constant("by_head", [shape.num_heads, shape.head_dim, shape.d_model], np.int64)
    matrix = graph.put("Reshape", _matrix(graph, block.projection), by_head)
    # [batch, heads, key, head_dim] x [heads, head_dim, d_model]
    values = graph.put("MatMul", block.reader.input[1], matrix)
    hidden, total = block.residual.input[0], block.residual.output[0]
    if block.norm is None:
        return values, hidden, total
    centred = _centred(graph, total, shape.d_model)
    return (
        _scaled(graph, _centred(graph, values, shape.d_model), block.norm),
        _scaled(graph, _centred(graph, hidden, shape.d_model), block.norm),
        _with_bias(graph, centred, block.norm, shape.d_model),
    )


def _matrix(graph: EditedGraph, product: onnx.NodeProto) -> str:
    """The weights of a projection in float32, [in, out]."""
    if product.op_type == "MatMul":
        return str(product.input[1])
    values = graph.put("Cast", product.input[1], to=onnx.TensorProto.FLOAT)
    return graph.put("Mul", values, product.input[3])


def _centred(graph: EditedGraph, vectors: str, width: int) -> str:
    return graph.put("Sub", vectors, _mean(graph, vectors, width))


def _mean(graph: EditedGraph, vectors: str, width: int) -> str:
    share = graph.constant("share", 1 / width, np.float32)
    return graph.put("Mul", graph.sum_of_channels(vectors, width), share)


def _scaled(graph: EditedGraph, vectors: str, norm: onnx.NodeProto) -> str:
    return graph.put("Mul", vectors, norm.input[1])


def _with_bias(graph: EditedGraph, centred: str, norm: onnx.NodeProto, width: int) -> str:
    """The norm's output times the deviation by which the norm divides."""
    epsilon = next(a.f for a in norm.attribute if a.name == "epsilon")
    variance = _mean(graph, graph.put("Mul", centred, centred), width)
    smallest = graph.constant(f"epsilon_{epsilon}", epsilon, np.float32)
    deviation = graph.put("Sqrt", graph.put("Add", variance, smallest))
    bias = graph.put("Mul", deviation, norm.input[2])
    return graph.put("Add", _scaled(graph, centred, norm), bias)
