"""The layers of a Transformer by the names of CTranslate2, which keeps projections joined."""

import re
from collections.abc import Iterable, Mapping

from export.importers.tensors import TensorReader
from export.network import Float32

_JOINED = {
    "self_attention": (("query", "key", "value"), ("output",)),
    "attention": (("query",), ("key", "value"), ("output",)),
}
"""What each linear layer of an attention computes at once."""
_EMBEDDING_NORMS = {"encoder": "source_positions.norm", "decoder": "target_positions.norm"}
_LAYER = r"layer_\d+"
_KNOWN = re.compile(
    rf"(encoder|decoder)/(embeddings(_0)?/weight|position_encodings/encodings|"
    rf"projection/(weight|bias)|layernorm_embedding/(gamma|beta)|"
    rf"({_LAYER}/(self_attention|attention|ffn)/)?layer_norm/(gamma|beta)|"
    rf"{_LAYER}/(self_attention|attention|ffn)/linear_\d/(weight|bias))"
)


def unknown_parts(names: Iterable[str]) -> list[str]:
    """Weights that no graph has a place for, each once, whatever layer they are in."""
    found = (re.sub(_LAYER, "layer_*", name) for name in names if not _KNOWN.fullmatch(name))
    return list(dict.fromkeys(found))


def depth(names: Iterable[str], side: str) -> int:
    """Layers of `encoder` or `decoder`."""
    found = (re.match(rf"{side}/layer_(\d+)/", name) for name in names)
    return max((int(match[1]) + 1 for match in found if match), default=0)


def widths(tensors: Mapping[str, Float32]) -> tuple[int, int]:
    """`d_model` and `d_ff`, read off a feed-forward; zeros where there is none."""
    for side in ("encoder", "decoder"):
        found = tensors.get(f"{side}/layer_0/ffn/linear_1/weight")
        if found is not None and found.ndim == 2:
            return found.shape[0], found.shape[1]
    return 0, 0


def stack_weights(
    reader: TensorReader, side: str, num_layers: int, sizes: tuple[int, int]
) -> dict[str, Float32]:
    """Weights of the encoder or the decoder by the names of our own state dict.

    Args:
        reader: Remembers what is missing.
        side: `encoder` or `decoder`.
        num_layers: Layers that it has.
        sizes: `d_model` and `d_ff`.
    """
    d_model, d_ff = sizes
    attentions = {"self_attention": "self_attention"}
    if side == "decoder":
        attentions["attention"] = "cross_attention"
    weights: dict[str, Float32] = {}
    for i in range(num_layers):
        layer, ours = f"{side}/layer_{i}", f"{side}.layers.{i}"
        for theirs, name in attentions.items():
            attention = f"{layer}/{theirs}"
            weights |= _attention(reader, attention, f"{ours}.{name}", d_model)
            weights |= _norm(reader, f"{attention}/layer_norm", f"{ours}.{name}_norm", d_model)
        inner, outer = f"{ours}.feed_forward.inner", f"{ours}.feed_forward.outer"
        weights |= _linear(reader, f"{layer}/ffn/linear_0", (inner,), (d_ff, d_model))
        weights |= _linear(reader, f"{layer}/ffn/linear_1", (outer,), (d_model, d_ff))
        weights |= _norm(reader, f"{layer}/ffn/layer_norm", f"{ours}.feed_forward_norm", d_model)
    ends = {"layernorm_embedding": _EMBEDDING_NORMS[side], "layer_norm": f"{side}.final_norm"}
    for theirs, ours in ends.items():
        if f"{side}/{theirs}/gamma" in reader:
            weights |= _norm(reader, f"{side}/{theirs}", ours, d_model)
    return weights


def _attention(reader: TensorReader, theirs: str, ours: str, d_model: int) -> dict[str, Float32]:
    weights: dict[str, Float32] = {}
    for i, parts in enumerate(_JOINED[theirs.rpartition("/")[2]]):
        names = tuple(f"{ours}.{part}" for part in parts)
        weights |= _linear(reader, f"{theirs}/linear_{i}", names, (d_model, d_model))
    return weights


def _linear(
    reader: TensorReader, theirs: str, ours: tuple[str, ...], shape: tuple[int, int]
) -> dict[str, Float32]:
    """One or several layers of a shape [out, in], which lie behind each other."""
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
