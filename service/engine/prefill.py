"""Sentences made ready to join a batch, whether or not it has room for them yet."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.engine.cache.shortlist import ShortlistBlock
from service.engine.cache.slot_cache import CacheArray
from service.engine.graphs.encoder import EncodedGroup, encode
from service.engine.graphs.sessions import Sessions
from service.engine.search.options import DecodeOptions

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRequest(Generic[Key]):
    """A sentence that asks to join the batch."""

    key: Key
    """Chosen by the caller; names the sentence in everything that comes back."""
    source_ids: Sequence[int]
    options: DecodeOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSentence(Generic[Key]):
    """A sentence that lacks nothing but slots."""

    request: DecodeRequest[Key]
    cross: tuple[CacheArray, ...]
    """Key and value of layer 0, of layer 1, ..., [heads, source, head_dim], with padding."""
    block: ShortlistBlock | None
    """None: it chooses from the whole vocabulary."""

    @property
    def num_slots(self) -> int:
        """Rows that it will occupy."""
        return self.request.options.beam_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation(Generic[Key]):
    """Sentences that were prepared together, and how."""

    sentences: tuple[PreparedSentence[Key], ...]
    """In the order of their requests."""
    groups: tuple[EncodedGroup, ...]


def prepare(sessions: Sessions, requests: Sequence[DecodeRequest[Key]]) -> Preparation[Key]:
    """Encode sentences, and look up what they choose from.

    Raises:
        ValueError: The bundle cannot hold a sentence.
        NonFiniteSourceError: A group cannot be translated.
    """
    for request in requests:
        _check_length(sessions, request)
    groups = tuple(encode(sessions, [r.source_ids for r in requests]))
    blocks = _shortlist(sessions, requests)
    sentences = {
        index: PreparedSentence(request=requests[index], cross=cross, block=blocks.get(index))
        for group in groups
        for index, cross in _members(group)
    }
    return Preparation(
        sentences=tuple(sentences[index] for index in range(len(requests))), groups=groups
    )


def _members(group: EncodedGroup) -> Iterator[tuple[int, tuple[CacheArray, ...]]]:
    for position, index in enumerate(group.indices):
        yield index, tuple(values[position] for values in group.cross)


def _check_length(sessions: Sessions, request: DecodeRequest[Key]) -> None:
    manifest = sessions.bundle.manifest
    length, longest = len(request.source_ids), request.options.max_target_tokens
    if not 1 <= length <= manifest.max_source_tokens:
        raise ValueError(f"a source has {length} tokens, not 1 to {manifest.max_source_tokens}")
    if longest > manifest.max_target_tokens:
        raise ValueError(
            f"max_target_tokens is {longest}; the limit is {manifest.max_target_tokens}"
        )


def _shortlist(
    sessions: Sessions, requests: Sequence[DecodeRequest[Key]]
) -> dict[int, ShortlistBlock]:
    """What those sentences choose from that do not need the whole vocabulary."""
    report = sessions.bundle.manifest.shortlist
    if sessions.shortlist is None or report is None:
        return {}
    listed = [
        i
        for i, request in enumerate(requests)
        if len(request.source_ids) <= report.max_source_tokens
        and not request.options.needs_whole_vocabulary
    ]
    blocks = sessions.shortlist.prepare([requests[i].source_ids for i in listed])
    return dict(zip(listed, blocks, strict=True))
