"""The output projection onto a shortlist, and the graph that prepares a sentence's part of it.

The common pieces are a constant matrix for all rows. The other pieces of a sentence are a matrix
for every row, gathered once when it joins the batch: no row reads that of another, so a
translation cannot depend on its batch. Both give logits bit-identical to those of the projection
onto the whole vocabulary.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from bundle import manifest
from bundle.tensors import shortlist_spec
from export.graphs.builder import MASKED_SCORE, GraphBuilder
from export.lexicon.shortlist import ShortlistPlan
from export.quantization import QuantizedMatrix

TENSOR = "output_projection"
"""Name of the projection's input in the activation plan."""


def build_shortlist(builder: GraphBuilder, shortlist: manifest.Shortlist) -> onnx.ModelProto:
    """Append to an empty builder; see `bundle.tensors.shortlist_spec`."""
    matrix, biases = _projection(builder)
    name = builder.embedding_name("target") if builder.network.is_tied else "shortlist.rows"
    weight = builder.weight(name, np.ascontiguousarray(matrix.values.T))
    rows = builder.add("Gather", weight, "shortlist_ids")
    builder.rename(builder.add("Transpose", rows, perm=[0, 2, 1]), "shortlist_weights")
    step = np.float32(builder.activation_scale(TENSOR))
    scales = builder.weight("shortlist.scales", matrix.scales * step)
    builder.rename(builder.add("Gather", scales, "shortlist_ids"), "shortlist_scales")
    bias = builder.weight(f"{TENSOR}.bias", biases)
    is_piece = builder.add("GreaterOrEqual", "shortlist_ids", builder.constant(0, np.int64))
    bias = builder.add("Gather", bias, "shortlist_ids")
    masked = builder.constant(MASKED_SCORE, np.float32)
    builder.rename(builder.add("Where", is_piece, bias, masked), "shortlist_biases")
    return builder.model("shortlist", shortlist_spec(builder.network.architecture, shortlist))


def project(builder: GraphBuilder, hidden: str, shortlist: ShortlistPlan) -> str:
    """Logits [rows, pieces] of hidden states [rows, d_model]; see `bundle.tensors.decoder_spec`."""
    builder.quantized(hidden, TENSOR)  # outside of both branches, which share it
    return builder.conditional(
        "whole_vocabulary",
        lambda: builder.vocabulary_projection(hidden),
        lambda: _short_projection(builder, hidden, shortlist.table.common),
    )


def _short_projection(builder: GraphBuilder, hidden: str, common: NDArray[np.int32]) -> str:
    matrix, biases = _projection(builder)
    activation = builder.quantized(hidden, TENSOR)
    axes = builder.constant([1], np.int64)
    values = builder.add("Unsqueeze", activation.values, axes)
    own = builder.add("MatMulInteger", values, "shortlist_weights", activation.zero_point)
    own = builder.add("Cast", builder.add("Squeeze", own, axes), to=TensorProto.FLOAT)
    own = builder.add("Mul", own, "shortlist_scales")
    if activation.row_scales is not None:
        own = builder.add("Mul", own, activation.row_scales)
    shared = builder.integer_product(
        hidden,
        TENSOR,
        builder.weight("shortlist.common_weight", np.ascontiguousarray(matrix.values[:, common])),
        builder.weight("shortlist.common_scales", matrix.scales[common]),
        builder.weight("shortlist.common_bias", biases[common]),
    )
    return builder.add("Concat", shared, builder.add("Add", own, "shortlist_biases"), axis=1)


def _projection(builder: GraphBuilder) -> tuple[QuantizedMatrix, NDArray[np.float32]]:
    """Matrix and biases of the projection onto the whole vocabulary."""
    weights = builder.network.weights
    name = "target_embedding" if builder.network.is_tied else TENSOR
    matrix = builder.quantized_matrix([f"{name}.weight"], weights[f"{name}.weight"])
    return matrix, weights[f"{TENSOR}.bias"]
