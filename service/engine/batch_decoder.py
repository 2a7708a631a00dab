"""The decode loop: sentences join and leave between steps, greedy and beam share the batch."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.engine.decoder import DecoderStep
from service.engine.encoder import EncodedGroup, encode
from service.engine.errors import NonFiniteLogitsError
from service.engine.hypothesis import Hypothesis
from service.engine.options import DecodeOptions
from service.engine.search import BeamSearch, GreedySearch, Survivor
from service.engine.sessions import Sessions
from service.engine.slot_cache import SlotCache

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRequest(Generic[Key]):
    """A sentence that asks to join the batch."""

    key: Key
    """Chosen by the caller; names the sentence in everything that comes back."""
    source_ids: Sequence[int]
    options: DecodeOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Generic[Key]):
    """A sentence that has left the batch."""

    key: Key
    hypotheses: tuple[Hypothesis, ...]
    """Best first."""


@dataclass(slots=True, kw_only=True)
class _Sentence:
    """A live sentence; `rows[i]` is the cache row of its i-th live hypothesis."""

    key: Hashable
    search: GreedySearch | BeamSearch
    num_slots: int
    rows: list[int] = field(default_factory=list)


class BatchDecoder(Generic[Key]):
    """Translates up to `num_slots` rows at once; used by one thread."""

    def __init__(self, sessions: Sessions, *, num_slots: int) -> None:
        """Allocate the cache; a sentence occupies as many slots as its beam is wide."""
        manifest = sessions.bundle.manifest
        self._sessions = sessions
        self._manifest = manifest
        self._cache = SlotCache(manifest, num_slots)
        self._step = DecoderStep(sessions, self._cache)
        self._sentences: dict[Hashable, _Sentence] = {}
        # Whose hypothesis each live row is: rows are only ever added at the end.
        self._owners: list[_Sentence] = []
        self._free_slots = num_slots

    @property
    def free_slots(self) -> int:
        """Slots that no admitted sentence has reserved."""
        return self._free_slots

    @property
    def num_rows(self) -> int:
        """Rows that the next step computes."""
        return self._cache.num_live

    @property
    def keys(self) -> list[Key]:
        """Sentences in the batch."""
        return list(self._sentences)  # type: ignore[arg-type]

    def admit(self, requests: Sequence[DecodeRequest[Key]]) -> list[EncodedGroup]:
        """Encode sentences and let them join; nothing joins if one of them cannot.

        Args:
            requests: At most `free_slots` beams in sum.

        Returns:
            The groups in which they were encoded.

        Raises:
            ValueError: The cache has no room for so many beams, or for so long a sentence.
        """
        self._check_room(requests)
        groups = list(encode(self._sessions, [r.source_ids for r in requests]))
        for group in groups:
            for position, index in enumerate(group.indices):
                self._join(requests[index], group, position)
        return groups

    def step(self) -> list[Finished[Key]]:
        """Give every live hypothesis one more token.

        Returns:
            The sentences that have ended; they have left the batch.

        Raises:
            NonFiniteLogitsError: The batch cannot go on; `clear` it.
        """
        if not self._cache.num_live:
            return []
        logits = self._step.run()
        tokens = logits.argmax(axis=1)
        if not np.isfinite(logits[np.arange(len(tokens)), tokens]).all():
            raise NonFiniteLogitsError("the decoder returned NaN or infinite logits")
        finished = [
            *self._advance_greedy(logits, tokens),
            *self._advance_beams(logits),
        ]
        for result in finished:
            self.remove(result.key)
        return finished

    def remove(self, key: Key) -> None:
        """Let a sentence leave, finished or not; its slots are free at once."""
        sentence = self._sentences.pop(key)
        for row in sorted(sentence.rows, reverse=True):
            self._release(row)
        self._free_slots += sentence.num_slots

    def clear(self) -> None:
        """Let everything leave, in whatever state a failed step has left it."""
        self._sentences.clear()
        self._owners.clear()
        self._cache.clear()
        self._free_slots = self._cache.num_slots

    def _check_room(self, requests: Sequence[DecodeRequest[Key]]) -> None:
        max_source, max_target = self._manifest.max_source_tokens, self._manifest.max_target_tokens
        num_slots = sum(r.options.beam_size for r in requests)
        if num_slots > self._free_slots:
            raise ValueError(f"{num_slots} slots are asked for, {self._free_slots} are free")
        for request in requests:
            length, longest = len(request.source_ids), request.options.max_target_tokens
            if not 1 <= length <= max_source:
                raise ValueError(f"a source has {length} tokens, not 1 to {max_source}")
            if longest > max_target:
                raise ValueError(f"max_target_tokens is {longest}; the limit is {max_target}")

    def _join(self, request: DecodeRequest[Key], group: EncodedGroup, position: int) -> None:
        options, ids = request.options, self._manifest.special_ids
        search = (GreedySearch if options.beam_size == 1 else BeamSearch)(options, ids.eos)
        sentence = _Sentence(key=request.key, search=search, num_slots=options.beam_size)
        cross = [values[position] for values in group.cross]
        row = self._cache.add_row(cross, len(request.source_ids))
        sentence.rows.append(row)
        self._owners.append(sentence)
        self._step.input_ids[row] = ids.bos
        self._sentences[request.key] = sentence
        self._free_slots -= sentence.num_slots

    def _advance_greedy(
        self, logits: NDArray[np.float32], tokens: NDArray[np.int64]
    ) -> list[Finished[Key]]:
        greedy = [s for s in self._sentences.values() if isinstance(s.search, GreedySearch)]
        log_probs = _chosen_log_probs(logits, tokens, [s.rows[0] for s in greedy if _scored(s)])
        finished: list[Finished[Key]] = []
        for sentence in greedy:
            row = sentence.rows[0]
            token = int(tokens[row])
            self._step.input_ids[row] = token
            assert isinstance(sentence.search, GreedySearch)
            result = sentence.search.advance(token, log_probs.get(row))
            if result is not None:
                finished.append(self._finished(sentence, result))
        return finished

    def _advance_beams(self, logits: NDArray[np.float32]) -> list[Finished[Key]]:
        # All searches read their logits before any row moves.
        outcomes = [
            (sentence, sentence.search.advance(log_softmax(logits[sentence.rows])))
            for sentence in self._sentences.values()
            if isinstance(sentence.search, BeamSearch)
        ]
        finished: list[Finished[Key]] = []
        for sentence, outcome in outcomes:
            if isinstance(outcome, tuple):
                finished.append(self._finished(sentence, outcome))
            else:
                self._follow(sentence, outcome)
        return finished

    def _finished(self, sentence: _Sentence, result: tuple[Hypothesis, ...]) -> Finished[Key]:
        return Finished(key=sentence.key, hypotheses=result)  # type: ignore[arg-type]

    def _follow(self, sentence: _Sentence, survivors: list[Survivor]) -> None:
        """Give every survivor a row that holds its parent's cache, copying as little as possible.

        A parent's first child stays in its row; other children go to rows of parents without
        children, which nobody reads any more, or to new rows while the beam still widens.
        """
        parents = sentence.rows
        childless = [r for i, r in enumerate(parents) if all(s.parent != i for s in survivors)]
        settled: set[int] = set()
        rows = []
        for survivor in survivors:
            row = parents[survivor.parent]
            if row in settled:
                row = self._copy_of(row, childless, sentence)
            settled.add(row)
            rows.append(row)
            self._step.input_ids[row] = survivor.token
        sentence.rows = rows
        for row in sorted(childless, reverse=True):
            self._release(row)

    def _copy_of(self, parent: int, childless: list[int], sentence: _Sentence) -> int:
        if childless:
            row = childless.pop()
            self._cache.copy_past(parent, row)
            return row
        self._owners.append(sentence)
        return self._cache.fork_row(parent)

    def _release(self, row: int) -> None:
        """End a row; whoever owned the last row now finds it here."""
        moved = self._cache.release_row(row)
        owner = self._owners.pop()
        if moved != row:
            self._owners[row] = owner
            owner.rows[owner.rows.index(moved)] = row
            self._step.input_ids[row] = self._step.input_ids[moved]


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Natural log-probabilities of logits, both float32 [rows, vocab]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _scored(sentence: _Sentence) -> bool:
    return isinstance(sentence.search, GreedySearch) and sentence.search.needs_scores


def _chosen_log_probs(
    logits: NDArray[np.float32], tokens: NDArray[np.int64], rows: list[int]
) -> dict[int, float]:
    """Log-probability of the chosen token of each of `rows`."""
    if not rows:
        return {}
    log_probs = log_softmax(logits[rows])
    chosen = log_probs[np.arange(len(rows)), tokens[rows]]
    return dict(zip(rows, chosen.tolist(), strict=True))
