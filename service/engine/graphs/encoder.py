"""The encoder graph: cross-attention keys and values, in padded groups of similar length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.tensors import cross_key, cross_value
from service.engine.cache.slot_cache import CacheArray
from service.engine.errors import NonFiniteSourceError
from service.engine.graphs.sessions import Sessions

MAX_GROUP_TOKENS = 2048
"""Padded source tokens of one encoder call: bounds its time and its memory."""
CALL_COST_TOKENS = 5
"""Fixed cost of an encoder call, in tokens: more padding than that costs more than a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedGroup:
    """Sentences that were encoded together."""

    indices: tuple[int, ...]
    """Positions of its sentences in the given sequence."""
    cross: tuple[CacheArray, ...]
    """Key and value of layer 0, of layer 1, ..., [batch, heads, source, head_dim], float32 or
    int8 as the cache is."""
    num_tokens: int
    num_padded_tokens: int
    """Tokens and padding: the size of the computation."""


def encode(sessions: Sessions, sources: Sequence[Sequence[int]]) -> Iterator[EncodedGroup]:
    """Encode sentences in groups sorted by length, each within `MAX_GROUP_TOKENS`.

    Raises:
        NonFiniteSourceError: The encoder returned NaN or infinity.
    """
    for indices in length_groups([len(s) for s in sources], MAX_GROUP_TOKENS, CALL_COST_TOKENS):
        group = [sources[i] for i in indices]
        ids, lengths = pad(group, sessions.bundle.manifest.special_ids.pad)
        yield EncodedGroup(
            indices=tuple(indices),
            cross=tuple(_run(sessions, ids, lengths)),
            num_tokens=int(lengths.sum()),
            num_padded_tokens=ids.size,
        )


def length_groups(lengths: Sequence[int], max_tokens: int, max_padding: int) -> list[list[int]]:
    """Partition indices into groups of similar length.

    Args:
        lengths: Tokens of each sentence.
        max_tokens: Bound of a group's padded size; a longer sentence is a group of its own.
        max_padding: Tokens of padding that a sentence may add to a group that it joins.

    Returns:
        Groups in ascending order of length; every index occurs once.
    """
    groups: list[list[int]] = []
    width = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        # In ascending order the sentence that joins is the longest and sets the padded width.
        members, added = (len(groups[-1]) if groups else 0), lengths[index] - width
        width = lengths[index]
        if members and (members + 1) * width <= max_tokens and members * added <= max_padding:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Rows as one array int64 [batch, longest], filled with `pad_id`, and lengths int32 [batch]."""
    lengths = np.array([len(row) for row in rows], dtype=np.int32)
    ids = np.full((len(rows), int(lengths.max())), pad_id, dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    return ids, lengths


def _run(
    sessions: Sessions, ids: NDArray[np.int64], lengths: NDArray[np.int32]
) -> list[CacheArray]:
    layers = range(sessions.bundle.manifest.architecture.num_decoder_layers)
    names = [name(layer) for layer in layers for name in (cross_key, cross_value)]
    outputs = sessions.encoder.run(names, {"input_ids": ids, "source_lengths": lengths})
    if not all(map(_is_finite, outputs)):
        raise NonFiniteSourceError("the encoder returned NaN or infinite keys or values")
    return [np.asarray(output) for output in outputs]


def _is_finite(values: CacheArray) -> bool:
    """Whether no number is NaN or infinite; the squared norm is the cheapest check."""
    return values.dtype.kind != "f" or bool(np.isfinite(np.vdot(values, values)))
