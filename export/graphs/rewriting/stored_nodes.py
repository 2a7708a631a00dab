"""Nodes of stored graphs: which of them a new graph needs, and which weights those read."""

from collections.abc import Iterable, Iterator, Sequence

import onnx

from bundle.tensors import GraphSpec
from export.graphs.onnx_model import model_of

Nodes = list[onnx.NodeProto]


def model_of_needed(
    nodes: Sequence[onnx.NodeProto],
    weights: Iterable[onnx.TensorProto],
    name: str,
    spec: GraphSpec,
) -> onnx.ModelProto:
    """A graph of those nodes that its outputs depend on, with the weights that they read.

    Args:
        nodes: In order; their names are replaced.
        weights: Initialisers, which may be references to the weight file.
        name: Of the graph.
        spec: Its inputs and outputs.
    """
    needed = _needed(nodes, spec)
    for number, node in enumerate(needed):
        node.name = f"{node.op_type}_{number}"
    model = model_of(needed, name, spec)
    read = {value for node in needed for value in _inputs_of(node)}
    by_name = {tensor.name: tensor for tensor in weights}
    model.graph.initializer.extend(by_name[value] for value in by_name if value in read)
    return model


def _needed(nodes: Sequence[onnx.NodeProto], spec: GraphSpec) -> Nodes:
    """The nodes that an output depends on, in order."""
    wanted = {tensor.name for tensor in spec.outputs}
    kept: Nodes = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(_inputs_of(node))
            kept.append(node)
    return kept[::-1]


def _inputs_of(node: onnx.NodeProto) -> Iterator[str]:
    """What a node reads, and what the bodies of its loops and branches read."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _inputs_of(inner)
