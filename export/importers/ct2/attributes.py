"""The variables of a CTranslate2 model that are no weights: attributes of its arithmetic."""

import re
from dataclasses import dataclass
from typing import Any

from export.importers.ct2.model_file import StoredModel

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
    "embeddings_merge",  # of several inputs; only one is supported
    "alignment_layer",  # chosen anew, from real sentences
    "alignment_heads",
    "weight_scale",  # of a whole matrix
}
_OFF = {"alibi", "alibi_use_positive_positions", "scale_alibi", "multi_query_attention"}
"""Supported where they are 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Attributes of encoder and decoder, which have to agree."""

    num_heads: int
    norm_position: str
    activation: str
    embedding_scale: float | None
    """None: the square root of the width."""
    starts_from_zero: bool
    """The first input of the decoder is zeros instead of an embedding."""


def read_attributes(stored: StoredModel) -> tuple[Attributes, list[str]]:
    """The attributes of a model, and a fault for everything that the graphs do not support."""
    faults = [] if stored.spec == SPEC else [f"a {stored.spec}, not a {SPEC}"]
    found: dict[str, Any] = {}
    for name, default in (("num_heads", 8), ("pre_norm", 1), ("activation", 0)):
        encoder, decoder = (
            _of_stack(stored, stack, name, default) for stack in ("encoder", "decoder")
        )
        found[name] = encoder
        if encoder != decoder:
            faults.append(f"{name} {encoder} in the encoder, but {decoder} in the decoder")
    scales = [_embedding_scale(stored, stack) for stack in ("encoder", "decoder")]
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


def _of_stack(stored: StoredModel, stack: str, name: str, default: int) -> int:
    """Before revision 5 of the format there is one attribute for both stacks."""
    return int(stored.attribute(f"{stack}/{name}", stored.attribute(name, default)))


def _embedding_scale(stored: StoredModel, stack: str) -> float | None:
    """Stored as a flag or as the number itself."""
    names = (f"{stack}/scale_embeddings", f"{stack}/embeddings/multiply_by_sqrt_depth")
    found = next((stored.variables[name] for name in names if name in stored.variables), None)
    if found is None or (found.dtype.kind == "i" and found.item()):
        return None
    return 1.0 if found.dtype.kind == "i" else float(found.item())


def _unknown(stored: StoredModel) -> list[str]:
    unknown = []
    for name, array in stored.variables.items():
        scope, _, last = name.rpartition("/")
        is_off = last in _OFF and not array.any()
        if array.ndim == 0 and scope and last not in _KNOWN and not is_off:
            unknown.append(f"{re.sub(r'layer_[0-9]+', 'layer_*', name)} {array.item():g}")
    return list(dict.fromkeys(unknown))
