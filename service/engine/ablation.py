"""Ablation: a bundle without some of its attention heads.

The rows of an output projection that read a head's context become zeros. That is the network
without this head, exactly: a row is read by nothing else, and zeros have no rounding. The graphs
stay as they are, so every bundle whose weights lie beside its graphs can do it, and the others'
steps cost what they cost before.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from bundle.errors import InvalidBundleError
from bundle.reader import Bundle
from bundle.sealed import Sealer
from bundle.tensors import ATTENTION_NAME, WEIGHTS_NAME
from service.engine.graphs.external_tensors import ExternalTensor, external_tensors
from service.engine.inspection import AttentionKind

_ATTENTIONS: dict[AttentionKind, str] = {
    "encoder": "encoder.layers.{}.self_attention",
    "decoder": "decoder.layers.{}.self_attention",
    "cross": "decoder.layers.{}.cross_attention",
}


class Head(NamedTuple):
    """An attention head."""

    kind: AttentionKind
    layer: int
    head: int


Heads = tuple[Head, ...]


def canonical(heads: Iterable[tuple[AttentionKind, int, int]]) -> Heads:
    """Heads in one order, each once: equal ablations are equal values."""
    return tuple(sorted({Head(*head) for head in heads}))


def bundle_without(bundle: Bundle, heads: Heads) -> Bundle:
    """The bundle in sealed memory, with its files but without some heads.

    Args:
        bundle: A verified bundle.
        heads: Ones that it has.

    Raises:
        InvalidBundleError: The weights of a head lie within its graphs, or the system has no sealed
            memory.
    """
    contents = {name: _content(bundle, name) for name in (ATTENTION_NAME, WEIGHTS_NAME)}
    weights = bytearray(contents[WEIGHTS_NAME])
    tensors = {tensor.name: tensor for tensor in external_tensors(contents[ATTENTION_NAME])}
    for head in heads:
        start, size = _rows(bundle, tensors, head)
        weights[start : start + size] = bytes(size)
    sealer = Sealer.create()
    if sealer is None:
        raise InvalidBundleError(bundle.path, ["heads can be left out in sealed memory only"])
    names = bundle.files or [path.name for path in bundle.path.iterdir() if path.is_file()]
    for name in sorted(names):
        sealer.add(name, bytes(weights) if name == WEIGHTS_NAME else _content(bundle, name))
    return replace(bundle, files=sealer.seal())


def _rows(bundle: Bundle, tensors: dict[str, ExternalTensor], head: Head) -> tuple[int, int]:
    """Place and length of what reads a head, in bytes of the weights file."""
    name = f"{_ATTENTIONS[head.kind].format(head.layer)}.output.weight"
    tensor = tensors.get(name)
    if tensor is None or tensor.file != WEIGHTS_NAME:
        raise InvalidBundleError(
            bundle.path, [f"{name} is not in {WEIGHTS_NAME}: its heads cannot be left out"]
        )
    num_heads = bundle.manifest.architecture.num_heads
    size = tensor.size_bytes // num_heads  # rows of [heads * head_dim, d_model] lie in order
    return tensor.offset + head.head * size, size


def _content(bundle: Bundle, name: str) -> bytes:
    if bundle.files is not None:
        return bytes(bundle.files[name])
    return bundle.file(name).read_bytes()
