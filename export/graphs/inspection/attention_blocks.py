"""Finds the attentions of a stored attention graph: what each reads, weighs, and adds to.

The graph is the one that `export.graphs.transformer.attention` builds, so an attention is a
softmax, a product with the values, a projection, and a residual connection, in this order; a
recurrence has a loop in place of the first two. Blocks come in the order of the layers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import onnx

from bundle.manifest import Architecture
from export.graphs.rewriting.stored_nodes import Nodes

BlockKind = Literal["encoder", "decoder", "cross"]
_PRODUCTS = ("MatMul", "MatMulIntegerToFloat")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionBlock:
    """An attention, or a recurrence, with its residual connection."""

    kind: BlockKind
    layer: int
    reader: onnx.NodeProto
    """The node that reads the values: a product with the weights, or the loop."""
    projection: onnx.NodeProto | None
    """The product of the output projection; a recurrence has none."""
    residual: onnx.NodeProto
    """Adds the block's input, its first input, to what the block computes."""
    norm: onnx.NodeProto | None
    """The normalisation of the sum, with post-norm."""

    @property
    def weights(self) -> str:
        """Attention weights, [batch, heads, query, key]."""
        return str(self.reader.input[0])

    @property
    def values_index(self) -> int:
        """Which input of `reader` the values are: the last but one of a loop's sequences."""
        return 1 if self.reader.op_type == "MatMul" else len(self.reader.input) - 2

    @property
    def result(self) -> str:
        """What the block hands on, [batch, query, d_model]."""
        return str((self.norm or self.residual).output[0])


def attention_blocks(nodes: Sequence[onnx.NodeProto], shape: Architecture) -> list[AttentionBlock]:
    """All blocks of an attention graph, encoder first, then by decoder layer."""
    readers = _readers(nodes)
    names = list(_names(shape))
    assert len(readers) == len(names), "an attention graph of another form"
    return [
        _block(nodes, reader, kind, layer, shape)
        for reader, (kind, layer) in zip(readers, names, strict=True)
    ]


def layer_output(nodes: Sequence[onnx.NodeProto], block: AttentionBlock) -> str:
    """What the layer hands on whose last attention `block` is: after its feed-forward."""
    (added,) = (n for n in nodes if n.op_type == "Add" and n.input[0] == block.result)
    norm = _norm_of(nodes, added) if block.norm is not None else None
    return str((norm or added).output[0])


def _names(shape: Architecture) -> Iterator[tuple[BlockKind, int]]:
    for layer in range(shape.num_encoder_layers):
        yield "encoder", layer
    for layer in range(shape.num_decoder_layers):
        yield "decoder", layer
        yield "cross", layer


def _readers(nodes: Iterable[onnx.NodeProto]) -> Nodes:
    """Products of a softmax with values, and loops."""
    weights: set[str] = set()
    found = []
    for node in nodes:
        if node.op_type == "Softmax":
            weights.add(node.output[0])
        is_product = node.op_type == "MatMul" and node.input[0] in weights
        if is_product or node.op_type == "Scan":
            found.append(node)
    return found


def _block(
    nodes: Sequence[onnx.NodeProto],
    reader: onnx.NodeProto,
    kind: BlockKind,
    layer: int,
    shape: Architecture,
) -> AttentionBlock:
    projection, residual = _way_out(nodes, reader)
    is_post = shape.norm_position == "post"
    return AttentionBlock(
        kind=kind,
        layer=layer,
        reader=reader,
        projection=projection,
        residual=residual,
        norm=_norm_of(nodes, residual) if is_post else None,
    )


def _way_out(
    nodes: Sequence[onnx.NodeProto], reader: onnx.NodeProto
) -> tuple[onnx.NodeProto | None, onnx.NodeProto]:
    """Projection and residual connection of a block: the first nodes that its context reaches.

    A bias is the second input of its addition, a sub-layer that of a residual connection.
    """
    # The last output of a loop is the shares of its state.
    reached = set(reader.output[:-1] or reader.output)
    projection = None
    for node in nodes:
        if not reached.intersection(node.input):
            continue
        if node.op_type == "Add" and node.input[1] in reached:
            return projection, node
        if node.op_type in _PRODUCTS and projection is None:
            projection = node
        reached.update(node.output)
    raise AssertionError("an attention without a residual connection")


def _norm_of(nodes: Sequence[onnx.NodeProto], node: onnx.NodeProto) -> onnx.NodeProto:
    return next(
        n for n in nodes if n.op_type == "LayerNormalization" and n.input[0] == node.output[0]
    )
