"""A copy of a stored graph into which nodes and constants are put."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper

from bundle.tensors import GraphSpec
from export.graphs.onnx_model import initializer
from export.graphs.rewriting.stored_nodes import Nodes, model_of_needed


class EditedGraph:
    """Nodes in order; what is put in stands behind the nodes whose results it reads."""

    def __init__(self, stored: onnx.ModelProto) -> None:
        """Copy the nodes; weights are only referred to."""
        self.nodes: Nodes = [_copied(node) for node in stored.graph.node]
        self.weights: dict[str, onnx.TensorProto] = {w.name: w for w in stored.graph.initializer}
        self._num_put = 0

    def put(
        self, operator: str, *inputs: str, name: str | None = None, **attributes: object
    ) -> str:
        """Put an operator behind those it reads; returns the name of its result."""
        self._num_put += 1
        result = name or f"put_{operator}_{self._num_put}"
        node = helper.make_node(operator, inputs, [result])
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.insert(self._place_behind(inputs), node)
        return result

    def constant(self, name: str, values: object, dtype: type[np.generic]) -> str:
        """A constant of the graph itself."""
        full = f"put.{name}"
        self.weights.setdefault(full, initializer(full, np.array(values, dtype=dtype)))
        return full

    def read_instead(self, value: str, other: str, *, but: Sequence[str] = ()) -> None:
        """Let every node that reads `value` read `other`, except those with a result in `but`."""
        for node in self.nodes:
            if not set(but).intersection(node.output):
                node.input[:] = [other if name == value else name for name in node.input]

    def stacked(self, values: Sequence[str], name: str) -> None:
        """One output of the values of all layers, with their axis behind that of the batch."""
        axes = self.constant("layer_axis", [1], np.int64)
        layers = [self.put("Unsqueeze", value, axes) for value in values]
        self.put("Concat", *layers, name=name, axis=1)

    def sum_of_channels(self, value: str, width: int) -> str:
        """[.., width] -> [.., 1]; a product, so that its order does not depend on the batch."""
        ones = self.constant(f"ones_{width}", np.ones((width, 1)), np.float32)
        return self.put("MatMul", value, ones)

    def model(self, name: str, spec: GraphSpec) -> onnx.ModelProto:
        """The graph, without what no output needs."""
        return model_of_needed(self.nodes, self.weights.values(), name, spec)

    def _place_behind(self, inputs: Sequence[str]) -> int:
        read = set(inputs)
        for place in range(len(self.nodes), 0, -1):  # from the end: a graph has hundreds of nodes
            if not read.isdisjoint(self.nodes[place - 1].output):
                return place
        return 0


def _copied(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy
