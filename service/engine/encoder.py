"""Source ids -> cross-attention keys and values, in padded groups of similar length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.tensors import cross_key, cross_value
from service.engine.sessions import Sessions

MAX_GROUP_TOKENS = 2048
"""Padded source tokens of one encoder call: bounds its time and its memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedGroup:
    """Sentences that were encoded together."""

    indices: tuple[int, ...]
    """Which of the given sentences they are."""
    cross: tuple[NDArray[np.float32], ...]
    """Key and value of layer 0, of layer 1, ..., float32 [batch, heads, source, head_dim]."""
    num_tokens: int
    num_padded_tokens: int
    """Tokens and padding: what was computed."""


def encode(sessions: Sessions, sources: Sequence[Sequence[int]]) -> Iterator[EncodedGroup]:
    """Encode sentences in groups sorted by length, each within `MAX_GROUP_TOKENS`."""
    for indices in length_groups([len(s) for s in sources], MAX_GROUP_TOKENS):
        group = [sources[i] for i in indices]
        ids, lengths = pad(group, sessions.bundle.manifest.special_ids.pad)
        yield EncodedGroup(
            indices=tuple(indices),
            cross=tuple(_run(sessions, ids, lengths)),
            num_tokens=int(lengths.sum()),
            num_padded_tokens=ids.size,
        )


def length_groups(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Partition indices into groups of similar length.

    Args:
        lengths: Tokens of each sentence.
        max_tokens: Bound of a group's padded size; a longer sentence is a group of its own.

    Returns:
        Groups in ascending order of length; every index occurs once.
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Ascending order: the newcomer is the longest and decides the padded width.
        if groups and (len(groups[-1]) + 1) * lengths[index] <= max_tokens:
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
) -> list[NDArray[np.float32]]:
    layers = range(sessions.bundle.manifest.architecture.num_decoder_layers)
    names = [name(layer) for layer in layers for name in (cross_key, cross_value)]
    outputs = sessions.encoder.run(names, {"input_ids": ids, "source_lengths": lengths})
    return [np.asarray(output, dtype=np.float32) for output in outputs]
