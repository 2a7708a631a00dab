"""What the variables of a CTranslate2 model say about its arithmetic, apart from weights."""

import re
from dataclasses import dataclass
from typing import Any

from export.importers.ct2_file import StoredModel

SPEC = "TransformerSpec"
_ACTIVATIONS = {0: "relu", 1: "gelu-tanh", 2: "swish", 3: "gelu", 4: "gelu-sigmoid"}
_NORMS = {0: "post", 1: "pre"}
_KNOWN = {
    "num_heads",
    "pre_norm",
    "activation",
    "scale_embeddings",
    "multiply_by_sqrt_depth",
    "start_from_zero_embedding",
    "embeddings_merge",  # of several inputs, of which one is left
    "alignment_layer",  # chosen anew, from real sentences
    "alignment_heads",
    "weight_scale",  # of a whole matrix
}
_OFF = {"alibi", "alibi_use_positive_positions", "scale_alibi", "multi_query_attention"}
"""Understood as long as they are 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Of encoder and decoder, which have to agree."""

    num_heads: int
    norm_position: str
    activation: str
    embedding_scale: float | None
    """None: the root of the width."""
    starts_from_zero: bool
    """The first input of the decoder is no embedding, but zeros."""


def read_attributes(stored: StoredModel) -> tuple[Attributes, list[str]]:
    """With everything that there is no graph for."""
    faults = [] if stored.spec == SPEC else [f"a {stored.spec}, not a {SPEC}"]
    found: dict[str, Any] = {}
    for name, default in (("num_heads", 8), ("pre_norm", 1), ("activation", 0)):
        encoder, decoder = (
            _of_side(stored, side, name, default) for side in ("encoder", "decoder")
        )
        found[name] = encoder
        if encoder != decoder:
            faults.append(f"{name} {encoder} in the encoder, but {decoder} in the decoder")
    scales = [_embedding_scale(stored, side) for side in ("encoder", "decoder")]
    if scales[0] != scales[1]:
        faults.append("embeddings that are scaled differently in encoder and decoder")
    if found["activation"] not in _ACTIVATIONS:
        faults.append(f"activation {found['activation']}")
    attributes = Attributes(
        num_heads=int(found["num_heads"]),
        norm_position=_NORMS[bool(found["pre_norm"])],
        activation=_ACTIVATIONS.get(found["activation"], ""),
        embedding_scale=scales[0],
        starts_from_zero=bool(stored.attribute("decoder/start_from_zero_embedding", 0)),
    )
    return attributes, faults + _unknown(stored)


def _of_side(stored: StoredModel, side: str, name: str, default: int) -> int:
    """Models before revision 5 said it for both at once."""
    return int(stored.attribute(f"{side}/{name}", stored.attribute(name, default)))


def _embedding_scale(stored: StoredModel, side: str) -> float | None:
    """A flag, or the number itself."""
    names = (f"{side}/scale_embeddings", f"{side}/embeddings/multiply_by_sqrt_depth")
    found = next((stored.variables[name] for name in names if name in stored.variables), None)
    if found is None or (found.dtype.kind == "i" and found.item()):
        return None
    return 1.0 if found.dtype.kind == "i" else float(found.item())


def _unknown(stored: StoredModel) -> list[str]:
    unknown = []
    for name, array in stored.variables.items():
        side, _, last = name.rpartition("/")
        is_off = last in _OFF and not array.any()
        if array.ndim == 0 and side and last not in _KNOWN and not is_off:
            unknown.append(f"{re.sub(r'layer_[0-9]+', 'layer_*', name)} {array.item():g}")
    return list(dict.fromkeys(unknown))
