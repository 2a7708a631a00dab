"""Greedy search, and beams beside it: the batch of the graph `decoder.onnx`."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.cache.slot_cache import SlotCache
from service.engine.graphs.candidates import CandidatesStep, RankedTokens
from service.engine.graphs.decoder import DecoderStep
from service.engine.graphs.sessions import Sessions
from service.engine.prefill import PrefilledSentence
from service.engine.row_batch import Results, RowBatch, check_finite
from service.engine.search.greedy import GreedySearch
from service.engine.search.logits_processors import MASKED
from service.engine.search.trace import NUM_TRACED
from service.engine.sentence_group import Sentence, SentenceGroup


class MixedBatch(RowBatch):
    """Sentences of every beam size; each row has a source of its own."""

    def __init__(self, sessions: Sessions, num_slots: int) -> None:
        """Allocate the cache."""
        manifest = sessions.bundle.manifest
        cache = SlotCache(manifest, num_slots)
        self._step = DecoderStep(sessions, cache)
        super().__init__(manifest, cache, self._step.input_ids)
        self._shortlist = cache.shortlist
        self._candidates = CandidatesStep(sessions, self._step.logits)
        self._eos_id = manifest.special_ids.eos
        self._greedy = SentenceGroup(GreedySearch(self._eos_id), num_slots)
        self._num_without_shortlist = 0

    def join(self, prefilled: PrefilledSentence[Any]) -> Sentence:
        """See `RowBatch`."""
        sentence = super().join(prefilled)
        self._num_without_shortlist += not sentence.has_shortlist
        return sentence

    def leave(self, sentence: Sentence) -> None:
        """See `RowBatch`."""
        super().leave(sentence)
        self._num_without_shortlist -= not sentence.has_shortlist

    def clear(self) -> None:
        """See `RowBatch`."""
        super().clear()
        self._num_without_shortlist = 0

    def step(self) -> Results:
        """See `RowBatch`."""
        self._close_gaps()
        if not self._cache.num_live:
            return []
        beams = [group.search.num_candidates for group in self._live_beams()]
        wanted = max(self._greedy.search.num_candidates, *beams, 0)
        is_whole = wanted > 0 or self._needs_whole_vocabulary()
        logits = self._step.run(is_whole=is_whole)
        ranked = self._candidates.run(self._cache.num_live, wanted) if wanted else None
        finished: Results = []
        # Only greedy searches need this pass over all logits, which is worth avoiding.
        if self._greedy.sentences:
            tokens = self._best_tokens(logits, is_whole=is_whole)
            finished += self._advance_greedy(logits, tokens, ranked)
        if ranked is not None:
            finished += self._advance_beams(ranked)
        return finished

    def _groups(self) -> Iterable[SentenceGroup[Any]]:
        return [self._greedy, *super()._groups()]

    def _group(self, beam_size: int) -> SentenceGroup[Any]:
        return self._greedy if beam_size == 1 else super()._group(beam_size)

    def _needs_whole_vocabulary(self) -> bool:
        """Whether a sentence has no shortlist, or has rules for its next token."""
        return self._num_without_shortlist > 0 or bool(self._greedy.search.restricted())

    def _best_tokens(self, logits: NDArray[np.float32], *, is_whole: bool) -> NDArray[np.int64]:
        """The best token of every row within the shortlist of its sentence, int64 [rows]."""
        best: NDArray[np.int64] = logits.argmax(axis=1)
        # Flat: by two indices it takes four times as long, for so few elements.
        elements = best + self._places[: len(best)] * logits.shape[1]
        check_finite(logits.take(elements))
        shortlist = self._shortlist
        if shortlist is None:
            return best
        return shortlist.choose(logits, best) if is_whole else shortlist.ids.take(elements)

    def _advance_greedy(
        self, logits: NDArray[np.float32], best: NDArray[np.int64], ranked: RankedTokens | None
    ) -> Results:
        search, rows = self._greedy.search, self._greedy.rows[:, 0]
        chosen = best.take(rows)
        for index in search.ending_too_early(chosen):
            chosen[index] = self._best_but_end(index, int(rows[index]), logits)
        for index in search.restricted():
            chosen[index] = self._best_allowed(index, logits[rows[index]])
        self._input_ids.put(rows, chosen)
        log_probs = ranked.log_probs[rows, chosen].tolist() if ranked else None
        top = None
        if ranked is not None and search.is_traced:
            top = ranked.top_log_probs[rows, :NUM_TRACED], ranked.top_ids[rows, :NUM_TRACED]
        return self._settle(self._greedy, search.advance(chosen.tolist(), log_probs, top))

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
        shortlist = self._shortlist
        if shortlist is not None and shortlist.is_used[row]:
            return shortlist.best_but(self._eos_id, row, logits[row])
        return self._best_allowed(index, logits[row])
