"""The layers of a Transformer by the names of CTranslate2, which joins projections."""

import re
from collections.abc import Iterable, Mapping

from export.importers.networks.layers import StackShape
from export.importers.networks.tensor_reader import TensorReader
from export.network import Float32

_JOINED = {
    "self_attention": (("query", "key", "value"), ("output",)),
    "attention": (("query",), ("key", "value"), ("output",)),
}
"""Projections that each linear layer of an attention computes at once."""
_EMBEDDING_NORMS = {"encoder": "source_positions.norm", "decoder": "target_positions.norm"}
_LAYER = r"layer_\d+"
_KNOWN = re.compile(
    rf"(encoder|decoder)/(embeddings(_0)?/weight|position_encodings/encodings|"
    rf"projection/(weight|bias)|layernorm_embedding/(gamma|beta)|"
    rf"({_LAYER}/(self_attention|attention|ffn)/)?layer_norm/(gamma|beta)|"
    rf"{_LAYER}/(self_attention|attention|ffn)/linear_\d/(weight|bias))"
)


def unknown_parts(names: Iterable[str]) -> list[str]:
    """Weights that the graphs do not support, each once for all layers."""
    found = (re.sub(_LAYER, "layer_*", name) for name in names if not _KNOWN.fullmatch(name))
    return list(dict.fromkeys(found))


def num_layers(names: Iterable[str], stack: str) -> int:
    """Layers of `encoder` or `decoder`."""
    found = (re.match(rf"{stack}/layer_(\d+)/", name) for name in names)
    return max((int(match[1]) + 1 for match in found if match), default=0)


def widths(tensors: Mapping[str, Float32]) -> tuple[int, int]:
    """`d_model` and `d_ff` by the first feed-forward; zeros where there is none."""
    for stack in ("encoder", "decoder"):
        found = tensors.get(f"{stack}/layer_0/ffn/linear_1/weight")
        if found is not None and found.ndim == 2:
            return found.shape[0], found.shape[1]
    return 0, 0


def stack_weights(reader: TensorReader, stack: str, shape: StackShape) -> dict[str, Float32]:
    """Weights of the encoder or the decoder by the names of our state dict.

    Args:
        reader: Collects the faults.
        stack: `encoder` or `decoder`.
        shape: What is expected.
    """
    weights: dict[str, Float32] = {}
    for i in range(shape.num_layers):
        weights |= _layer(reader, f"{stack}/layer_{i}", f"{stack}.layers.{i}", shape)
    if f"{stack}/layernorm_embedding/gamma" in reader:
        ours = _EMBEDDING_NORMS[stack]
        weights |= _norm(reader, f"{stack}/layernorm_embedding", ours, shape.d_model)
    if shape.has_final_norm:
        weights |= _norm(reader, f"{stack}/layer_norm", f"{stack}.final_norm", shape.d_model)
    return weights


def _layer(reader: TensorReader, theirs: str, ours: str, shape: StackShape) -> dict[str, Float32]:
    d_model, d_ff = shape.d_model, shape.d_ff
    attentions = {"self_attention": "self_attention"}
    if ours.startswith("decoder"):
        attentions["attention"] = "cross_attention"
    weights: dict[str, Float32] = {}
    for name, our_name in attentions.items():
        attention = f"{theirs}/{name}"
        weights |= _attention(reader, attention, f"{ours}.{our_name}", d_model)
        weights |= _norm(reader, f"{attention}/layer_norm", f"{ours}.{our_name}_norm", d_model)
    inner, outer = f"{ours}.feed_forward.inner", f"{ours}.feed_forward.outer"
    weights |= _linear(reader, f"{theirs}/ffn/linear_0", (inner,), (d_ff, d_model))
    weights |= _linear(reader, f"{theirs}/ffn/linear_1", (outer,), (d_model, d_ff))
    norm = f"{ours}.feed_forward_norm"
    return weights | _norm(reader, f"{theirs}/ffn/layer_norm", norm, d_model)


def _attention(reader: TensorReader, theirs: str, ours: str, d_model: int) -> dict[str, Float32]:
    weights: dict[str, Float32] = {}
    for i, parts in enumerate(_JOINED[theirs.rpartition("/")[2]]):
        names = tuple(f"{ours}.{part}" for part in parts)
        weights |= _linear(reader, f"{theirs}/linear_{i}", names, (d_model, d_model))
    return weights


def _linear(
    reader: TensorReader, theirs: str, ours: tuple[str, ...], shape: tuple[int, int]
) -> dict[str, Float32]:
    """Linear layers of a shape [out, in], whose rows are joined in one matrix."""
    size = shape[0]
    matrix = reader.take(f"{theirs}/weight", (len(ours) * size, shape[1]))
    bias = reader.take_or_zeros(f"{theirs}/bias", (len(ours) * size,))
    weights: dict[str, Float32] = {}
    for i, name in enumerate(ours):
        rows = slice(i * size, (i + 1) * size)
        weights |= {f"{name}.weight": matrix[rows], f"{name}.bias": bias[rows]}
    return weights


def _norm(reader: TensorReader, theirs: str, ours: str, d_model: int) -> dict[str, Float32]:
    parts = {"gamma": "weight", "beta": "bias"}
    return {
        f"{ours}.{name}": reader.take(f"{theirs}/{part}", (d_model,))
        for part, name in parts.items()
    }
