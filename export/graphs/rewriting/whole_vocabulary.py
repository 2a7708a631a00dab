"""A decoder without the choice of a shortlist: every token comes from the whole vocabulary."""

from collections.abc import Iterable, Iterator

import onnx

from bundle.manifest import Architecture, CacheDtype
from bundle.tensors import decoder_spec
from export.graphs.onnx_model import model_of


def whole_vocabulary_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes without the choice of a shortlist."""
    for node in nodes:
        if node.op_type != "If":
            yield node
            continue
        branch = next(a.g for a in node.attribute if a.name == "then_branch")
        yield from branch.node
        yield onnx.helper.make_node("Identity", [branch.output[0].name], [node.output[0]])


def without_shortlist(
    decoder: onnx.ModelProto, architecture: Architecture, cache: CacheDtype
) -> onnx.ModelProto:
    """The decoder as it is exported without a shortlist.

    Args:
        decoder: With its initialisers, which may be references to the weight file.
        architecture: Of the bundle.
        cache: Dtype of keys and values.
    """
    nodes = list(whole_vocabulary_nodes(decoder.graph.node))
    model = model_of(nodes, "decoder", decoder_spec(architecture, cache))
    read = {name for node in nodes for name in node.input}
    model.graph.initializer.extend(w for w in decoder.graph.initializer if w.name in read)
    return model
