"""Prefill: encodes sentences so that they can join a batch as soon as it has free slots."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.engine.cache.shortlist import ShortlistBlock
from service.engine.cache.slot_cache import CacheArray
from service.engine.graphs.encoder import EncodedGroup, encode
from service.engine.graphs.sessions import Sessions
from service.engine.search.options import DecodeOptions

HandleT = TypeVar("HandleT", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRequest(Generic[HandleT]):
    """A sentence to decode."""

    handle: HandleT
    """Chosen by the caller; identifies the sentence in the results."""
    source_ids: Sequence[int]
    options: DecodeOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefilledSentence(Generic[HandleT]):
    """An encoded sentence that waits for slots."""

    request: DecodeRequest[HandleT]
    cross: tuple[CacheArray, ...]
    """Key and value of layer 0, of layer 1, ..., [heads, source, head_dim], with padding."""
    block: ShortlistBlock | None
    """None: the sentence uses the whole vocabulary."""

    @property
    def num_slots(self) -> int:
        """Rows that the sentence will occupy."""
        return self.request.options.beam_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefill(Generic[HandleT]):
    """Sentences that were encoded together, and in which groups."""

    sentences: tuple[PrefilledSentence[HandleT], ...]
    """In the order of the requests."""
    groups: tuple[EncodedGroup, ...]


def prefill(sessions: Sessions, requests: Sequence[DecodeRequest[HandleT]]) -> Prefill[HandleT]:
    """Encode sentences and look up their shortlists.

    Raises:
        ValueError: A sentence exceeds the limits of the bundle.
        NonFiniteSourceError: The encoder returned NaN or infinity.
    """
    for request in requests:
        _check_length(sessions, request)
    groups = tuple(encode(sessions, [r.source_ids for r in requests]))
    blocks = _shortlist(sessions, requests)
    sentences = {
        index: PrefilledSentence(request=requests[index], cross=cross, block=blocks.get(index))
        for group in groups
        for index, cross in _members(group)
    }
    return Prefill(
        sentences=tuple(sentences[index] for index in range(len(requests))), groups=groups
    )


def _members(group: EncodedGroup) -> Iterator[tuple[int, tuple[CacheArray, ...]]]:
    for position, index in enumerate(group.indices):
        yield index, tuple(values[position] for values in group.cross)


def _check_length(sessions: Sessions, request: DecodeRequest[HandleT]) -> None:
    manifest = sessions.bundle.manifest
    length, longest = len(request.source_ids), request.options.max_target_tokens
    if not 1 <= length <= manifest.max_source_tokens:
        raise ValueError(f"a source has {length} tokens, not 1 to {manifest.max_source_tokens}")
    if longest > manifest.max_target_tokens:
        raise ValueError(
            f"max_target_tokens is {longest}; the limit is {manifest.max_target_tokens}"
        )


def _shortlist(
    sessions: Sessions, requests: Sequence[DecodeRequest[HandleT]]
) -> dict[int, ShortlistBlock]:
    """Shortlist blocks by index, for sentences that do not need the whole vocabulary."""
    report = sessions.bundle.manifest.shortlist
    if sessions.shortlist is None or report is None:
        return {}
    listed = [
        i
        for i, request in enumerate(requests)
        if len(request.source_ids) <= report.max_source_tokens
        and not request.options.needs_whole_vocabulary
    ]
    blocks = sessions.shortlist.blocks([requests[i].source_ids for i in listed])
    return {listed[place]: block for place, block in blocks.items()}
