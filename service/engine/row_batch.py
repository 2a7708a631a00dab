"""Sentences whose rows share a cache and take their steps together."""

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import Manifest
from service.engine.cache.live_rows import LiveRows
from service.engine.cache.slot_cache import SlotCache
from service.engine.errors import NonFiniteLogitsError
from service.engine.graphs.candidates import RankedTokens
from service.engine.prefill import PrefilledSentence
from service.engine.search.beam import BeamSearch
from service.engine.search.continuations import best_tokens
from service.engine.search.outcome import Hypotheses, SearchStep
from service.engine.sentence_group import Sentence, SentenceGroup

Results = list[tuple[Hashable, Hypotheses]]
"""Handle and hypotheses of every sentence that has ended, best first."""


class RowBatch(ABC):
    """Beams of any sizes; subclasses run a graph, and may have other searches beside them."""

    def __init__(self, manifest: Manifest, cache: SlotCache, input_ids: NDArray[np.int64]) -> None:
        """Wrap an empty cache and the graph's input, int64 [slots, 1]."""
        self._manifest = manifest
        self._cache = cache
        self._input_ids = input_ids
        self._rows = LiveRows(cache)
        self._beams: dict[int, SentenceGroup[BeamSearch]] = {}
        self._places = np.arange(cache.num_slots)

    @property
    def num_rows(self) -> int:
        """Rows of the next step."""
        return self._rows.num_rows

    @abstractmethod
    def step(self) -> Results:
        """Extend every live hypothesis by one token.

        Returns:
            What has ended; it must leave before the next step.

        Raises:
            NonFiniteLogitsError: The batch cannot continue and must be cleared.
        """

    def join(self, prefilled: PrefilledSentence[Any]) -> Sentence:
        """Start a sentence, for which slots are free."""
        request = prefilled.request
        row = self._rows.take()
        self._cache.add_row(prefilled.cross, len(request.source_ids), prefilled.block, row=row)
        self._input_ids[row] = self._manifest.special_ids.bos
        group = self._group(request.options.beam_size)
        return group.add(request.handle, request.options, row, prefilled.block is not None)

    def leave(self, sentence: Sentence) -> None:
        """Remove a sentence, finished or not."""
        self._rows.release(sentence.group.remove(sentence.index))

    def clear(self) -> None:
        """Remove all sentences, whatever state a failed step has left them in."""
        self._rows.clear()
        for group in self._groups():
            group.clear()

    def _groups(self) -> Iterable[SentenceGroup[Any]]:
        return self._beams.values()

    def _group(self, beam_size: int) -> SentenceGroup[Any]:
        if beam_size not in self._beams:
            count, longest = self._cache.num_slots // beam_size, self._manifest.max_target_tokens
            eos_id = self._manifest.special_ids.eos
            search = BeamSearch(count, longest, eos_id, beam_size=beam_size)
            self._beams[beam_size] = SentenceGroup(search, count)
        return self._beams[beam_size]

    def _close_gaps(self) -> None:
        moves = self._rows.close_gaps()
        if moves:
            moved = np.arange(self._cache.num_slots)
            for origin, destination in moves:
                moved[origin] = destination
                self._input_ids[destination] = self._input_ids[origin]
            for group in self._groups():
                group.move_rows(moved)

    def _live_beams(self) -> list[SentenceGroup[BeamSearch]]:
        return [group for group in self._beams.values() if group.sentences]

    def _advance_beams(self, ranked: RankedTokens) -> Results:
        check_finite(ranked.top_log_probs[:, 0])
        finished: Results = []
        for group in self._live_beams():
            finished += self._advance_group(group, ranked)
        return finished

    def _advance_group(self, group: SentenceGroup[BeamSearch], ranked: RankedTokens) -> Results:
        search, rows = group.search, group.rows
        log_probs, ids = _candidates(group, ranked)
        num_before = search.num_live.copy()
        step = search.advance(log_probs, ids)
        self._rows.follow(rows, num_before, step.parents, step.num_live)
        is_live = self._places[: search.beam_size] < step.num_live[:, None]
        self._input_ids[rows[is_live], 0] = step.tokens[is_live]
        return self._settle(group, step.outcome)

    def _settle(self, group: SentenceGroup[Any], step: SearchStep) -> Results:
        for index in step.restarted:
            row = group.rows[index, 0]
            self._cache.positions[row] = 0
            self._input_ids[row] = self._manifest.special_ids.bos
        return [
            (group.sentences[index].handle, hypotheses)
            for index, hypotheses in step.finished.items()
        ]


def check_finite(best: NDArray[np.float32]) -> None:
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
