"""ONNX models of nodes, inputs and outputs, and the weights that they hold."""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bundle.tensors import GraphSpec, TensorSpec

OPSET = 21
IR_VERSION = 10
MICROSOFT = "com.microsoft"

_ONNX_TYPES = {
    "float32": TensorProto.FLOAT,
    "int8": TensorProto.INT8,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
}


def model_of(
    nodes: Sequence[onnx.NodeProto], name: str, spec: GraphSpec, extra_outputs: Sequence[str] = ()
) -> onnx.ModelProto:
    """A graph of nodes, without weights."""
    outputs = [_value_info(t) for t in spec.outputs]
    outputs += [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in extra_outputs]
    graph = helper.make_graph(nodes, name, [_value_info(t) for t in spec.inputs], outputs)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    model.producer_name = "pellucid"
    return model


def initializer(name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
    """A weight that is stored in the graph itself."""
    return numpy_helper.from_array(values, name)


def _value_info(spec: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(spec.name, _ONNX_TYPES[spec.dtype], spec.shape)
