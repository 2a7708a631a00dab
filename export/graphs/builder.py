"""Builds ONNX graphs from the operations of a Transformer, in fp32 or int8.

Inputs of linear layers are named; in int8 each is quantised once, however many layers read it,
and in the same way in all graphs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from bundle.manifest import CacheDtype
from bundle.tensors import GraphSpec
from export.graphs.onnx_model import MICROSOFT, model_of
from export.network import Network
from export.quantization import (
    LARGEST_INT8,
    ROW_GRID,
    ActivationPlan,
    CacheScales,
    Grid,
    LayerCacheScales,
    QuantizedMatrix,
    joined_matrices,
    quantize_matrix,
)

MASKED_SCORE = -1e9
"""Large and finite: a fully masked row must not become NaN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedActivation:
    """Value names of an activation's uint8 form."""

    values: str
    scale: str
    zero_point: str
    row_scales: str | None
    """[.., 1], with scales per row; else None."""


class GraphBuilder:
    """Collects nodes and weights; every method appends and returns the name of its result."""

    def __init__(self, network: Network, plan: ActivationPlan | None) -> None:
        """Build in int8 by `plan`, or in fp32 where it is None."""
        self.network = network
        self.weights: dict[str, NDArray[np.generic]] = {}
        """Initialisers by name; the same name holds the same values in every graph."""
        self.activations: dict[str, str] = {}
        """Inputs of linear layers: tensor name -> value name in this graph."""
        self._plan = plan
        self._nodes: list[onnx.NodeProto] = []
        self._num_nodes = 0  # of all branches: no name is used twice
        self._quantized: dict[tuple[str, Grid, bool], QuantizedActivation] = {}
        self._not_negative: set[str] = set()  # outputs of ReLU

    @property
    def is_plain(self) -> bool:
        """Whether the fused attention does not support the network."""
        return self.network.architecture.attention_operator == "plain"

    @property
    def cache(self) -> CacheScales | None:
        """Scales of the key/value cache; None where it is float32."""
        return None if self._plan is None else self._plan.cache

    def layer_cache(self, layer: int) -> LayerCacheScales | None:
        """Scales of one decoder layer's cache; None where it is float32."""
        return None if self.cache is None else self.cache.layers[layer]

    @property
    def cache_dtype(self) -> CacheDtype:
        """NumPy's name of the cache's dtype."""
        return "float32" if self.cache is None else "int8"

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        """Append an operator with one output."""
        return self.add_many(operator, *inputs, outputs=1, domain=domain, **attributes)[0]

    def add_many(
        self, operator: str, *inputs: str, outputs: int, domain: str = "", **attributes: object
    ) -> list[str]:
        """Append an operator with several outputs."""
        names = [f"{operator}_{self._num_nodes}_{i}" for i in range(outputs)]
        self._append(operator, inputs, names, domain, attributes)
        return names

    def produce(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        domain: str = "",
        **attributes: object,
    ) -> None:
        """Append an operator whose outputs have given names."""
        self._append(operator, inputs, outputs, domain, attributes)

    def rename(self, value: str, name: str) -> None:
        """Give a value the name of a graph output."""
        self._append("Identity", [value], [name], "", {})

    def weight(self, name: str, values: NDArray[np.generic]) -> str:
        """An initialiser."""
        self.weights.setdefault(name, values)
        return name

    def constant(self, values: object, dtype: type[np.generic]) -> str:
        """A small initialiser, named by its value."""
        array = np.array(values, dtype=dtype)
        text = "_".join(map(str, array.ravel().tolist()))
        return self.weight(f"constant_{array.dtype}_{array.ndim}_{text}", array)

    def embedding_name(self, side: str) -> str:
        """Name of the table of `source` or `target` among the weights."""
        return "shared_embedding" if self.network.is_shared else f"{side}_embedding"

    def embedding(self, ids: str, side: str, positions: str | None) -> str:
        """Scaled embeddings of `ids` plus `positions`, if any: [.., d_model].

        Imported networks may normalise the sum.
        """
        name = self.embedding_name(side)
        table = self.network.weights[f"{side}_embedding.weight"]
        scale = np.float32(self.network.embedding_scale)
        if self._plan is None:
            rows = self.add("Gather", self.weight(name, table), ids)
            rows = self.add("Mul", rows, self.constant(scale, np.float32))
        else:
            quantized = self.quantized_matrix([f"{side}_embedding.weight"], table)
            values = self.weight(name, np.ascontiguousarray(quantized.values.T))
            scales = self.weight(f"{name}_row_scales", quantized.scales[:, None] * scale)
            rows = self.add("Cast", self.add("Gather", values, ids), to=TensorProto.FLOAT)
            rows = self.add("Mul", rows, self.add("Gather", scales, ids))
        embedded = rows if positions is None else self.add("Add", rows, positions)
        norm = f"{side}_positions.norm"
        has_norm = f"{norm}.weight" in self.network.weights
        return self.layer_norm(embedded, norm) if has_norm else embedded

    def vocabulary_projection(self, hidden: str) -> str:
        """Logits; the matrix is the embedding where they are tied, stored once."""
        weights = self.network.weights
        if not self.network.is_tied:
            return self.linear(hidden, "output_projection", ["output_projection"])
        bias = self.weight("output_projection.bias", weights["output_projection.bias"])
        name, table = self.embedding_name("target"), weights["target_embedding.weight"]
        if self._plan is None:
            transposed = self.add("Transpose", self.weight(name, table), perm=[1, 0])
            self.activations["output_projection"] = hidden
            return self.add("Add", self.add("MatMul", hidden, transposed), bias)
        quantized = self.quantized_matrix(["target_embedding.weight"], table)
        rows = np.ascontiguousarray(quantized.values.T)
        # Folded when the session opens; the file holds the matrix once.
        transposed = self.add("Transpose", self.weight(name, rows), perm=[1, 0])
        scales = self.weight("output_projection.scales", quantized.scales)
        return self.integer_product(hidden, "output_projection", transposed, scales, bias)

    def linear(
        self,
        value: str,
        tensor: str,
        layers: Sequence[str],
        divisors: NDArray[np.float32] | None = None,
    ) -> str:
        """Linear layers that read the same activation, as one product.

        Args:
            value: The activation, [.., in].
            tensor: Its name in the activation plan.
            layers: Names of the layers in the state dict; their outputs are concatenated.
            divisors: Divide each output, float32 [out]; folded into the weights.
        """
        groups = self._groups(tensor, layers)
        if len(groups) > 1:
            products = [self.linear(value, group[0], group) for group in groups]
            return self.add("Concat", *products, axis=-1)
        name = "+".join(layers)
        state = self.network.weights
        matrix = np.concatenate([state[f"{layer}.weight"] for layer in layers])
        biases = np.concatenate([state[f"{n}.bias"] for n in layers])
        if divisors is not None:
            matrix, biases = matrix / divisors[:, None], biases / divisors
        bias = self.weight(f"{name}.bias", biases)
        if self._plan is None:
            self.activations[tensor] = value
            weight = self.weight(f"{name}.weight", np.ascontiguousarray(matrix.T))
            return self.add("Add", self.add("MatMul", value, weight), bias)
        quantized = self.quantized_matrix([f"{layer}.weight" for layer in layers], matrix)
        weight = self.weight(f"{name}.weight", quantized.values)
        scales = self.weight(f"{name}.scales", quantized.scales)
        return self.integer_product(value, tensor, weight, scales, bias)

    def scan(
        self,
        step: Callable[[list[str], list[str]], tuple[list[str], list[str]]],
        states: Sequence[str],
        sequences: Sequence[tuple[str, int]],
        output_axes: Sequence[int],
    ) -> list[str]:
        """A loop over sequences.

        Args:
            step: Appends one step to the states and the elements of the sequences; returns the next
                states, and the elements of the outputs.
            states: Before the first step.
            sequences: Each with the axis that is walked along.
            output_axes: Axis of each output along which its elements are stacked.

        Returns:
            The outputs.
        """
        inputs = [f"scan_{self._num_nodes}_{i}" for i in range(len(states) + len(sequences))]
        outside, self._nodes = self._nodes, []
        found = step(inputs[: len(states)], inputs[len(states) :])
        # An output may be a state, and no value may be returned twice.
        results = [self.add("Identity", value) for values in found for value in values]
        taken, given = (
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names]
            for names in (inputs, results)
        )
        body = helper.make_graph(self._nodes, f"scan_{self._num_nodes}", taken, given)
        self._nodes = outside
        return self.add_many(
            "Scan",
            *states,
            *(name for name, _ in sequences),
            outputs=len(results),
            body=body,
            num_scan_inputs=len(sequences),
            scan_input_axes=[axis for _, axis in sequences],
            scan_output_axes=list(output_axes),
        )[len(states) :]

    def quantized_matrix(
        self, names: Sequence[str], matrix: NDArray[np.float32]
    ) -> QuantizedMatrix:
        """A matrix [out, in] in int8: as the checkpoint holds it, where it does.

        Args:
            names: Its parts, by their names in the state dict.
            matrix: In float32.
        """
        stored = self.network.stored
        is_stored = self._plan is not None and self._plan.is_stored
        if is_stored and all(name in stored for name in names):
            return joined_matrices([stored[name] for name in names])
        return quantize_matrix(matrix)

    def conditional(
        self, condition: str, then: Callable[[], str], otherwise: Callable[[], str]
    ) -> str:
        """One of two results; the other is not computed.

        Args:
            condition: Bool [1].
            then: Appends the result where it is true, and returns its name.
            otherwise: Likewise where it is false.
        """
        branches = {"then_branch": self._branch(then), "else_branch": self._branch(otherwise)}
        return self.add("If", condition, **branches)

    def quantized(self, value: str, tensor: str) -> QuantizedActivation:
        """The activation in bytes, quantised once for all layers that read it."""
        assert self._plan is not None
        key = (value, self._grid(tensor), tensor in self._plan.per_row)
        if key not in self._quantized:
            self._quantized[key] = self._quantize(value, tensor)
        return self._quantized[key]

    def integer_product(self, value: str, tensor: str, weight: str, scales: str, bias: str) -> str:
        """`value` times an int8 matrix [in, out] with a scale and a bias for every column."""
        activation = self.quantized(value, tensor)
        inputs = [activation.values, weight, activation.scale, scales, activation.zero_point, ""]
        if activation.row_scales is None:
            return self.add("MatMulIntegerToFloat", *inputs, bias, domain=MICROSOFT)
        product = self.add("MatMulIntegerToFloat", *inputs[:-1], domain=MICROSOFT)
        return self.add("Add", self.add("Mul", product, activation.row_scales), bias)

    def activation_scale(self, tensor: str) -> float:
        """Step of the activation's grid; per row, relative to the row's largest value."""
        return self._grid(tensor).scale

    def round_to_int8(self, value: str) -> str:
        """The nearest integers, limited to -128 .. 127."""
        one, zero = self.constant(1, np.float32), self.constant(0, np.int8)
        return self.add("QuantizeLinear", value, one, zero)

    def widen(self, value: str, scales: str) -> str:
        """Float32 of int8 `value` [.., channels] times `scales` [channels]."""
        return self.add("Mul", self.add("Cast", value, to=TensorProto.FLOAT), scales)

    def layer_norm(self, value: str, name: str) -> str:
        """Normalise each token to mean 0 and variance 1, then scale and shift."""
        state = self.network.weights
        return self.add(
            "LayerNormalization",
            value,
            self.weight(f"{name}.weight", state[f"{name}.weight"]),
            self.weight(f"{name}.bias", state[f"{name}.bias"]),
            axis=-1,
            epsilon=self.network.layer_norm_eps,
        )

    def activation(self, value: str) -> str:
        """The non-linearity of the feed-forward."""
        name = self.network.architecture.activation
        if name == "swish":
            return self.add("Mul", value, self.add("Sigmoid", value))
        if name == "gelu-sigmoid":
            scaled = self.add("Mul", value, self.constant(1.702, np.float32))
            return self.add("Mul", value, self.add("Sigmoid", scaled))
        if name == "gelu-tanh":
            return self.add("Gelu", value, approximate="tanh")
        if name == "relu":
            return self.relu(value)
        return self.add("Gelu", value)

    def relu(self, value: str) -> str:
        """The value, or 0 where it is negative."""
        result = self.add("Relu", value)
        self._not_negative.add(result)
        return result

    def model(
        self, name: str, spec: GraphSpec, extra_outputs: Sequence[str] = ()
    ) -> onnx.ModelProto:
        """The graph; weights stay outside until `save_graphs` places them."""
        return model_of(self._nodes, name, spec, extra_outputs)

    def _append(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        domain: str,
        attributes: Mapping[str, object],
    ) -> None:
        name = f"{operator}_{self._num_nodes}"
        node = helper.make_node(operator, inputs, outputs, name=name, domain=domain)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self._nodes.append(node)
        self._num_nodes += 1

    def _branch(self, append: Callable[[], str]) -> onnx.GraphProto:
        outside, self._nodes = self._nodes, []
        output = helper.make_tensor_value_info(append(), TensorProto.FLOAT, None)
        graph = helper.make_graph(self._nodes, output.name, [], [output])
        self._nodes = outside
        return graph

    def _groups(self, tensor: str, layers: Sequence[str]) -> list[list[str]]:
        """Layers that read one tensor, parted where a checkpoint gives them grids of their own."""
        plan = self._plan
        if plan is None or not plan.is_stored or plan.has(tensor) or len(layers) == 1:
            return [list(layers)]
        grids = [(self._grid(layer), layer in plan.per_row) for layer in layers]
        groups = groupby(zip(grids, layers, strict=True), key=lambda pair: pair[0])
        return [[layer for _, layer in group] for _, group in groups]

    def _grid(self, tensor: str) -> Grid:
        assert self._plan is not None
        return ROW_GRID if tensor in self._plan.per_row else self._plan.static[tensor]

    def _quantize(self, value: str, tensor: str) -> QuantizedActivation:
        assert self._plan is not None
        row_scales = None
        if tensor in self._plan.per_row:
            axes = self.constant([-1], np.int64)
            row_scales = self.add("ReduceMax", self.add("Abs", value), axes, keepdims=1)
            row_scales = self.add("Max", row_scales, self.constant(1e-12, np.float32))
            value = self.add("Div", value, row_scales)
        grid = self._grid(tensor)
        if grid.is_symmetric and value not in self._not_negative:
            lowest = -LARGEST_INT8 * np.float32(grid.scale)
            value = self.add("Max", value, self.constant(lowest, np.float32))
        scale = self.constant(grid.scale, np.float32)
        zero_point = self.constant(grid.zero_point, np.uint8)
        return QuantizedActivation(
            values=self.add("QuantizeLinear", value, scale, zero_point),
            scale=scale,
            zero_point=zero_point,
            row_scales=row_scales,
        )
