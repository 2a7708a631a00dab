"""Continuous batching: sentences join and leave between steps; greedy and beam share a batch."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from service.engine.cache.live_rows import LiveRows
from service.engine.cache.slot_cache import SlotCache
from service.engine.errors import NonFiniteLogitsError
from service.engine.graphs.candidates import CandidatesStep, RankedTokens
from service.engine.graphs.decoder import DecoderStep
from service.engine.graphs.sessions import Sessions
from service.engine.prefill import (
    DecodeRequest,
    HandleT,
    Prefill,
    PrefilledSentence,
    prefill,
)
from service.engine.search.beam import BeamSearch, best_tokens
from service.engine.search.greedy import GreedySearch
from service.engine.search.logits_processors import MASKED
from service.engine.search.options import Hypothesis
from service.engine.search.outcome import SearchStep
from service.engine.sentence_group import Sentence, SentenceGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Generic[HandleT]):
    """A finished sentence; it has left the batch."""

    handle: HandleT
    hypotheses: tuple[Hypothesis, ...]
    """Best first."""


class BatchDecoder(Generic[HandleT]):
    """Decodes up to `num_slots` rows at once; used by one thread."""

    def __init__(self, sessions: Sessions, *, num_slots: int) -> None:
        """Allocate the cache; a sentence takes one slot per hypothesis of its beam."""
        manifest = sessions.bundle.manifest
        self._sessions = sessions
        self._manifest = manifest
        self._eos_id = manifest.special_ids.eos
        self._cache = SlotCache(manifest, num_slots)
        self._step = DecoderStep(sessions, self._cache)
        self._candidates = CandidatesStep(sessions, self._step.logits)
        self._rows = LiveRows(self._cache)
        self._sentences: dict[Hashable, Sentence] = {}
        self._greedy = SentenceGroup(GreedySearch(self._eos_id), num_slots)
        self._beams: dict[int, SentenceGroup[BeamSearch]] = {}
        self._free_slots = num_slots
        self._num_without_shortlist = 0
        self._places = np.arange(num_slots)

    @property
    def num_slots(self) -> int:
        """Rows of the cache."""
        return self._cache.num_slots

    @property
    def free_slots(self) -> int:
        """Slots that no sentence of the batch has reserved."""
        return self._free_slots

    @property
    def num_rows(self) -> int:
        """Rows of the next step."""
        return self._rows.num_rows

    @property
    def handles(self) -> list[HandleT]:
        """Handles of the sentences in the batch."""
        return list(self._sentences)  # type: ignore[arg-type]

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
        for sentence in sentences:
            self._join(sentence)

    def step(self) -> list[Finished[HandleT]]:
        """Extend every live hypothesis by one token.

        Returns:
            The finished sentences; they have left the batch.

        Raises:
            NonFiniteLogitsError: The batch cannot continue and must be cleared.
        """
        self._close_gaps()
        if not self._cache.num_live:
            return []
        beams = [group for group in self._beams.values() if group.sentences]
        wanted = max(
            self._greedy.search.num_candidates, *(g.search.num_candidates for g in beams), 0
        )
        is_whole = wanted > 0 or self._needs_whole_vocabulary()
        logits = self._step.run(is_whole=is_whole)
        ranked = self._candidates.run(self._cache.num_live, wanted) if wanted else None
        finished: list[Finished[HandleT]] = []
        # Only greedy searches need this pass over all logits, which is worth avoiding.
        if self._greedy.sentences:
            tokens = self._best_tokens(logits, is_whole=is_whole)
            finished += self._advance_greedy(logits, tokens, ranked)
        if ranked is not None:
            _check_finite(ranked.top_log_probs[:, 0])
            for group in beams:
                finished += self._advance_beams(group, ranked)
        for result in finished:
            self._leave(result.handle)
        return finished

    def remove(self, handle: HandleT) -> None:
        """Remove a sentence, finished or not; its slots become free at once."""
        self._leave(handle)

    def clear(self) -> None:
        """Remove all sentences, whatever state a failed step has left them in."""
        self._sentences.clear()
        self._rows.clear()
        self._greedy.clear()
        for group in self._beams.values():
            group.clear()
        self._free_slots = self._cache.num_slots
        self._num_without_shortlist = 0

    def _check_room(self, num_slots: int) -> None:
        if num_slots > self._free_slots:
            raise ValueError(f"{num_slots} slots are needed, {self._free_slots} are free")

    def _needs_whole_vocabulary(self) -> bool:
        """Whether a sentence has no shortlist, or has rules for its next token."""
        return self._num_without_shortlist > 0 or bool(self._greedy.search.restricted())

    def _join(self, prefilled: PrefilledSentence[HandleT]) -> None:
        request = prefilled.request
        row = self._rows.take()
        self._cache.add_row(prefilled.cross, len(request.source_ids), prefilled.block, row=row)
        self._step.input_ids[row] = self._manifest.special_ids.bos
        group = self._group(request.options.beam_size)
        sentence = group.add(request.handle, request.options, row, prefilled.block is not None)
        self._sentences[request.handle] = sentence
        self._free_slots -= sentence.num_slots
        self._num_without_shortlist += not sentence.has_shortlist

    def _group(self, beam_size: int) -> SentenceGroup[GreedySearch] | SentenceGroup[BeamSearch]:
        if beam_size == 1:
            return self._greedy
        if beam_size not in self._beams:
            count, longest = self.num_slots // beam_size, self._manifest.max_target_tokens
            search = BeamSearch(count, longest, self._eos_id, beam_size=beam_size)
            self._beams[beam_size] = SentenceGroup(search, count)
        return self._beams[beam_size]

    def _leave(self, handle: Hashable) -> None:
        sentence = self._sentences.pop(handle)
        self._free_slots += sentence.num_slots
        self._num_without_shortlist -= not sentence.has_shortlist
        self._rows.release(sentence.group.remove(sentence.index))

    def _close_gaps(self) -> None:
        moves = self._rows.close_gaps()
        if moves:
            moved = np.arange(self._cache.num_slots)
            for origin, destination in moves:
                moved[origin] = destination
                self._step.input_ids[destination] = self._step.input_ids[origin]
            self._greedy.move_rows(moved)
            for group in self._beams.values():
                group.move_rows(moved)

    def _best_tokens(self, logits: NDArray[np.float32], *, is_whole: bool) -> NDArray[np.int64]:
        """The best token of every row within the shortlist of its sentence, int64 [rows]."""
        best = logits.argmax(axis=1)
        _check_finite(logits[self._places[: len(best)], best])
        shortlist = self._cache.shortlist
        return best if shortlist is None else shortlist.choose(logits, best, is_whole=is_whole)

    def _advance_greedy(
        self, logits: NDArray[np.float32], best: NDArray[np.int64], ranked: RankedTokens | None
    ) -> list[Finished[HandleT]]:
        search, rows = self._greedy.search, self._greedy.rows[:, 0]
        chosen = best.take(rows)
        for index in search.ending_too_early(chosen):
            chosen[index] = self._best_but_end(index, int(rows[index]), logits)
        for index in search.restricted():
            chosen[index] = self._best_allowed(index, logits[rows[index]])
        self._step.input_ids[rows, 0] = chosen
        log_probs = ranked.log_probs[rows, chosen].tolist() if ranked else None
        return self._settle(self._greedy, search.advance(chosen.tolist(), log_probs))

    def _best_allowed(self, index: int, logits: NDArray[np.float32]) -> int:
        """The best token that the rules of a greedy sentence allow, float32 [vocab]."""
        search = self._greedy.search
        scores = logits.copy()
        search.restrict(index, scores)
        if not search.may_end(index):
            scores[self._eos_id] = MASKED
        return int(scores.argmax())

    def _best_but_end(self, index: int, row: int, logits: NDArray[np.float32]) -> int:
        """The best token but the end, of a greedy sentence that would end too early."""
        shortlist = self._cache.shortlist
        if shortlist is not None and shortlist.is_used[row]:
            return shortlist.best_but(self._eos_id, row, logits[row])
        return self._best_allowed(index, logits[row])

    def _advance_beams(
        self, group: SentenceGroup[BeamSearch], ranked: RankedTokens
    ) -> list[Finished[HandleT]]:
        search, rows = group.search, group.rows
        log_probs, ids = _candidates(group, ranked)
        num_before = search.num_live.copy()
        step = search.advance(log_probs, ids)
        self._rows.follow(rows, num_before, step.parents, step.num_live)
        is_live = self._places[: search.beam_size] < step.num_live[:, None]
        self._step.input_ids[rows[is_live], 0] = step.tokens[is_live]
        return self._settle(group, step.outcome)

    def _settle(
        self, group: SentenceGroup[GreedySearch] | SentenceGroup[BeamSearch], step: SearchStep
    ) -> list[Finished[HandleT]]:
        if not (step.finished or step.restarted):
            return []
        for index in step.restarted:
            row = group.rows[index, 0]
            self._cache.positions[row] = 0
            self._step.input_ids[row] = self._manifest.special_ids.bos
        return [
            Finished(handle=group.sentences[index].handle, hypotheses=hypotheses)  # type: ignore[arg-type]
            for index, hypotheses in step.finished.items()
        ]


def _check_finite(best: NDArray[np.float32]) -> None:
    """Refuse NaN and infinity, which come out on top: the best value of every row, [rows]."""
    # The squared norm is the cheapest check.
    if not math.isfinite(np.vdot(best, best)):
        raise NonFiniteLogitsError("the decoder returned NaN or infinite logits")


def _candidates(
    group: SentenceGroup[BeamSearch], ranked: RankedTokens
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The best tokens after each hypothesis of a group, float32 and int64 [sentences, beam, n]."""
    search, rows, count = group.search, group.rows, group.search.num_candidates
    log_probs = ranked.top_log_probs[:, :count].take(rows, axis=0)
    ids = ranked.top_ids[:, :count].take(rows, axis=0)
    for index in search.restricted():
        live = slice(int(search.num_live[index]))
        scores = ranked.log_probs[rows[index, live]]
        search.restrict(index, scores)
        log_probs[index, live], ids[index, live] = best_tokens(scores, log_probs.shape[2])
    return log_probs, ids
