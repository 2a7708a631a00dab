"""Continuous batching: sentences join and leave between steps; greedy and beam share the slots."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic

from service.engine.beam_batch import BeamBatch, takes_beams
from service.engine.graphs.sessions import Sessions
from service.engine.mixed_batch import MixedBatch
from service.engine.prefill import (
    DecodeRequest,
    HandleT,
    Prefill,
    PrefilledSentence,
    prefill,
)
from service.engine.row_batch import RowBatch
from service.engine.search.options import Hypothesis
from service.engine.sentence_group import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Generic[HandleT]):
    """A finished sentence; it has left the batch."""

    handle: HandleT
    hypotheses: tuple[Hypothesis, ...]
    """Best first."""


class BatchDecoder(Generic[HandleT]):
    """Decodes up to `num_slots` rows at once; used by one thread."""

    def __init__(self, sessions: Sessions, *, num_slots: int) -> None:
        """Allocate the caches; a sentence takes one slot per hypothesis of its beam."""
        self._sessions = sessions
        self._num_slots = num_slots
        self._free_slots = num_slots
        self._mixed = MixedBatch(sessions, num_slots)
        self._batches: list[RowBatch] = [self._mixed]
        self._inside: dict[Hashable, tuple[Sentence, RowBatch]] = {}

    @property
    def num_slots(self) -> int:
        """Rows of the caches."""
        return self._num_slots

    @property
    def free_slots(self) -> int:
        """Slots that no sentence of the batch has reserved."""
        return self._free_slots

    @property
    def num_rows(self) -> int:
        """Rows of the next step."""
        return sum(batch.num_rows for batch in self._batches)

    @property
    def handles(self) -> list[HandleT]:
        """Handles of the sentences in the batch."""
        return list(self._inside)  # type: ignore[arg-type]

    def prefill(self, requests: Sequence[DecodeRequest[HandleT]]) -> Prefill[HandleT]:
        """Encode sentences ahead of free slots: `service.engine.prefill.prefill`, same sessions."""
        return prefill(self._sessions, requests)

    def join(self, sentences: Sequence[PrefilledSentence[HandleT]]) -> None:
        """Start decoding sentences.

        Args:
            sentences: Encoded with the same sessions; their beams fit into `free_slots` in sum.

        Raises:
            ValueError: Their beams need more slots than are free.
        """
        self._check_room(sum(sentence.num_slots for sentence in sentences))
        for prefilled in sentences:
            batch = self._batch(prefilled.num_slots)
            sentence = batch.join(prefilled)
            self._inside[prefilled.request.handle] = (sentence, batch)
            self._free_slots -= sentence.num_slots

    def step(self) -> list[Finished[HandleT]]:
        """Extend every live hypothesis by one token.

        Returns:
            The finished sentences; they have left the batch.

        Raises:
            NonFiniteLogitsError: The batch cannot continue and must be cleared.
        """
        results = [result for batch in self._batches for result in batch.step()]
        for handle, _ in results:
            self._leave(handle)
        return [
            Finished(handle=handle, hypotheses=hypotheses)  # type: ignore[arg-type]
            for handle, hypotheses in results
        ]

    def remove(self, handle: HandleT) -> None:
        """Remove a sentence, finished or not; its slots become free at once."""
        self._leave(handle)

    def clear(self) -> None:
        """Remove all sentences, whatever state a failed step has left them in."""
        self._inside.clear()
        for batch in self._batches:
            batch.clear()
        self._free_slots = self._num_slots

    def _check_room(self, num_slots: int) -> None:
        if num_slots > self._free_slots:
            raise ValueError(f"{num_slots} slots are needed, {self._free_slots} are free")

    def _batch(self, beam_size: int) -> RowBatch:
        if not takes_beams(self._sessions, beam_size):
            return self._mixed
        if len(self._batches) == 1:
            self._batches.append(BeamBatch(self._sessions, self._num_slots))
        return self._batches[1]

    def _leave(self, handle: Hashable) -> None:
        sentence, batch = self._inside.pop(handle)
        self._free_slots += sentence.num_slots
        batch.leave(sentence)
