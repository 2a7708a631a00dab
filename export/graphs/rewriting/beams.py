"""The graph of beam search: the decoder with the source of a sentence read once for its whole beam.

It is made from the stored `decoder.onnx` and `candidates.onnx`, so it reads the same weights, and a
bundle from before this graph can be given one.

The fused attention has one source for every row. But it lets several query heads read one key head:
so the same heads of a sentence's hypotheses become the heads of one wider query. The arithmetic of
a head stays what it was, bit for bit.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import onnx
from onnx import helper

from bundle.manifest import Architecture, CacheDtype
from bundle.tensors import NUM_PLACES, GraphSpec, beams_spec, candidates_spec, cross_key
from export.graphs.onnx_model import initializer
from export.graphs.rewriting.stored_nodes import Nodes, model_of_needed
from export.graphs.rewriting.whole_vocabulary import whole_vocabulary_nodes

_ATTENTION = "GroupQueryAttention"


def has_beams(architecture: Architecture) -> bool:
    """Whether the graph can be made: plain attention has no heads to fold."""
    return architecture.attention_operator == "fused"


def build_beams(
    decoder: onnx.ModelProto,
    candidates: onnx.ModelProto,
    architecture: Architecture,
    cache: CacheDtype,
) -> onnx.ModelProto:
    """Join decoder and candidates; see `bundle.tensors.beams_spec`.

    Args:
        decoder: With its initialisers, which may be references to the weight file.
        candidates: Likewise.
        architecture: Of the bundle; `has_beams` holds.
        cache: Dtype of keys and values.
    """
    folding = _Folding(architecture)
    nodes = list(folding.folded(whole_vocabulary_nodes(decoder.graph.node)))
    nodes += _apart(candidates.graph.node, candidates_spec(architecture.vocab_size))
    spec = beams_spec(architecture, cache)
    weights = (
        *decoder.graph.initializer,
        *candidates.graph.initializer,
        *folding.constants(),
    )
    return model_of_needed(nodes, weights, "beams", spec)


class _Folding:
    """Rewrites cross-attention so that the rows of a sentence read one source."""

    def __init__(self, architecture: Architecture) -> None:
        heads, head_dim = architecture.num_heads, architecture.head_dim
        width = heads * NUM_PLACES * head_dim
        self._num_layers = architecture.num_decoder_layers
        self._num_folded_heads = heads * NUM_PLACES
        self._constants = {
            "beams.heads_shape": [-1, head_dim],
            "beams.folded_shape": [-1, 1, width],
            "beams.row_shape": [-1, 1, heads * head_dim],
            "beams.none": [0],
            "beams.query_axis": [1],
            "beams.channel_axis": [2],
            "beams.channels": [heads * head_dim],
        }

    def constants(self) -> Iterator[onnx.TensorProto]:
        """Initialisers of the new nodes."""
        for name, values in self._constants.items():
            yield initializer(name, np.array(values, dtype=np.int64))

    def folded(self, nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
        """The nodes, with each cross-attention between two gathers of heads."""
        layers = {cross_key(layer): layer for layer in range(self._num_layers)}
        for node in nodes:
            if node.op_type == _ATTENTION and node.input[3] in layers:
                yield from self._fold(node, f"beams.{layers[node.input[3]]}")
            else:
                yield node

    def _fold(self, attention: onnx.NodeProto, name: str) -> Nodes:
        query, folded = attention.input[0], f"{name}.query"
        context, folded_context = attention.output[0], f"{name}.context"
        wide = onnx.NodeProto()
        wide.CopyFrom(attention)
        wide.input[:3] = [folded, f"{name}.no_keys", f"{name}.no_keys"]
        wide.output[0] = folded_context
        for attribute in wide.attribute:
            if attribute.name == "num_heads":
                attribute.i = self._num_folded_heads
        none, queries, channels = "beams.none", "beams.query_axis", "beams.channel_axis"
        no_queries = f"{name}.no_queries"
        return [
            *_gathered(query, "place_heads", folded, "beams.folded_shape"),
            helper.make_node("Slice", [folded, none, none, queries], [no_queries]),
            helper.make_node(
                "Slice", [no_queries, none, "beams.channels", channels], [f"{name}.no_keys"]
            ),
            wide,
            *_gathered(folded_context, "row_heads", context, "beams.row_shape"),
        ]


def _gathered(value: str, heads: str, result: str, shape: str) -> Nodes:
    """Heads of `value` in the order of `heads`, reshaped to `shape`."""
    apart, chosen = f"{result}.heads", f"{result}.chosen"
    return [
        helper.make_node("Reshape", [value, "beams.heads_shape"], [apart]),
        helper.make_node("Gather", [apart, heads], [chosen], axis=0),
        helper.make_node("Reshape", [chosen, shape], [result]),
    ]


def _apart(nodes: Iterable[onnx.NodeProto], spec: GraphSpec) -> Nodes:
    """The nodes with names of their own for all values that stay inside."""
    outside = {tensor.name for tensor in spec.outputs}
    inside = {name for node in nodes for name in node.output} - outside
    renamed = []
    for node in nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [f"candidates.{n}" if n in inside else n for n in node.input]
        copy.output[:] = [f"candidates.{n}" if n in inside else n for n in node.output]
        renamed.append(copy)
    return renamed
