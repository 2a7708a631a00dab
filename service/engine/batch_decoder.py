"""Continuous batching: sentences join and leave between steps; greedy and beam share a batch."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from service.engine.cache.live_rows import LiveRows, Sentence
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
from service.engine.search.beam import BeamSearch, Continuation, best_continuations, best_tokens
from service.engine.search.greedy import GreedySearch
from service.engine.search.logits_processors import MASKED
from service.engine.search.options import Hypothesis
from service.engine.search.outcome import Hypotheses, Restart, Survivors
from service.engine.search.strategy import begin_search


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
        self._cache = SlotCache(manifest, num_slots)
        self._step = DecoderStep(sessions, self._cache)
        self._candidates = CandidatesStep(sessions, self._step.logits)
        self._rows = LiveRows(self._cache, self._step.input_ids, manifest.special_ids.bos)
        self._sentences: dict[Hashable, Sentence] = {}
        self._free_slots = num_slots

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
        self._rows.close_gaps()
        if not self._cache.num_live:
            return []
        wanted = max((s.search.num_candidates for s in self._sentences.values()), default=0)
        is_whole = wanted > 0 or self._needs_whole_vocabulary()
        logits = self._step.run(is_whole=is_whole)
        ranked = self._candidates.run(self._cache.num_live, wanted) if wanted else None
        finished: list[Finished[HandleT]] = []
        # Only greedy searches need this pass over all logits, which is worth avoiding.
        if any(isinstance(s.search, GreedySearch) for s in self._sentences.values()):
            tokens = self._best_tokens(logits, is_whole=is_whole)
            finished += self._advance_greedy(logits, tokens, ranked)
        if ranked is not None:
            _check_finite(ranked.top_log_probs[:, 0])
            finished += self._advance_beams(ranked)
            self._rows.copy_parents()
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
        self._free_slots = self._cache.num_slots

    def _check_room(self, num_slots: int) -> None:
        if num_slots > self._free_slots:
            raise ValueError(f"{num_slots} slots are needed, {self._free_slots} are free")

    def _needs_whole_vocabulary(self) -> bool:
        """Whether a row has no shortlist, or has rules for its next token."""
        shortlist = self._cache.shortlist
        return (
            shortlist is None
            or not shortlist.is_used[: self._cache.num_live].all()
            or any(s.search.is_restricted for s in self._sentences.values())
        )

    def _join(self, prefilled: PrefilledSentence[HandleT]) -> None:
        request = prefilled.request
        search = begin_search(request.options, self._manifest.special_ids.eos)
        sentence = Sentence(handle=request.handle, search=search, num_slots=prefilled.num_slots)
        self._rows.add(sentence, prefilled.cross, len(request.source_ids), prefilled.block)
        self._sentences[request.handle] = sentence
        self._free_slots -= sentence.num_slots

    def _leave(self, handle: Hashable) -> None:
        sentence = self._sentences.pop(handle)
        self._free_slots += sentence.num_slots
        self._rows.leave(sentence)

    def _best_tokens(self, logits: NDArray[np.float32], *, is_whole: bool) -> NDArray[np.int64]:
        """The best token of every row within the shortlist of its sentence, int64 [rows]."""
        best = logits.argmax(axis=1)
        _check_finite(logits[np.arange(len(best)), best])
        shortlist = self._cache.shortlist
        return best if shortlist is None else shortlist.choose(logits, best, is_whole=is_whole)

    def _advance_greedy(
        self, logits: NDArray[np.float32], tokens: NDArray[np.int64], ranked: RankedTokens | None
    ) -> list[Finished[HandleT]]:
        finished: list[Finished[HandleT]] = []
        best: list[int] = tokens.tolist()
        for sentence in self._sentences.values():
            search = sentence.search
            if not isinstance(search, GreedySearch):
                continue
            (row,) = sentence.rows
            token = self._allowed(search, row, best[row], logits)
            log_prob = float(ranked.log_probs[row, token]) if ranked else None
            self._step.input_ids[row] = token
            outcome = search.advance(token, log_prob)
            if outcome is not None:
                finished += self._end_or_restart(sentence, outcome)
        return finished

    def _allowed(
        self, search: GreedySearch, row: int, best: int, logits: NDArray[np.float32]
    ) -> int:
        """The best token of a row that the search may take; nearly always the best of all."""
        eos_id, shortlist = self._manifest.special_ids.eos, self._cache.shortlist
        is_restricted = search.is_restricted
        if not is_restricted and (best != eos_id or search.may_end):
            return best
        if not is_restricted and shortlist is not None and shortlist.is_used[row]:
            return shortlist.best_but(eos_id, row, logits[row])
        scores = logits[row : row + 1].copy()
        search.restrict(scores)
        if not search.may_end:
            scores[0, eos_id] = MASKED
        return int(scores.argmax())

    def _advance_beams(self, ranked: RankedTokens) -> list[Finished[HandleT]]:
        finished: list[Finished[HandleT]] = []
        for group in self._beams_of_one_size():
            for (sentence, search), continuations in zip(
                group, _continuations(group, ranked), strict=True
            ):
                outcome = search.advance(continuations)
                if isinstance(outcome, Survivors):
                    self._rows.follow(sentence, outcome)
                else:
                    finished += self._end_or_restart(sentence, outcome)
        return finished

    def _end_or_restart(
        self, sentence: Sentence, outcome: Hypotheses | Restart
    ) -> list[Finished[HandleT]]:
        if isinstance(outcome, Restart):
            eos_id = self._manifest.special_ids.eos
            sentence.search = begin_search(outcome.options, eos_id, is_retry=True)
            self._rows.restart(sentence)
            return []
        return [Finished(handle=sentence.handle, hypotheses=outcome)]  # type: ignore[arg-type]

    def _beams_of_one_size(self) -> list[list[tuple[Sentence, BeamSearch]]]:
        """The beams of the batch, grouped by number of live prefixes and of candidates."""
        groups: dict[tuple[int, int], list[tuple[Sentence, BeamSearch]]] = {}
        for sentence in self._sentences.values():
            search = sentence.search
            if isinstance(search, BeamSearch):
                size = (search.num_live, search.num_candidates)
                groups.setdefault(size, []).append((sentence, search))
        return list(groups.values())


def _check_finite(best: NDArray[np.float32]) -> None:
    """Refuse NaN and infinity, which come out on top: the best value of every row, [rows]."""
    if not np.isfinite(best).all():
        raise NonFiniteLogitsError("the decoder returned NaN or infinite logits")


def _continuations(
    group: list[tuple[Sentence, BeamSearch]], ranked: RankedTokens
) -> list[list[Continuation]]:
    """The continuations of each beam of a group, best first."""
    rows = [sentence.rows for sentence, _ in group]
    count = group[0][1].num_candidates
    log_probs, ids = ranked.top_log_probs[rows][..., :count], ranked.top_ids[rows][..., :count]
    for index, (sentence, search) in enumerate(group):
        if search.is_restricted:
            scores = ranked.log_probs[sentence.rows]
            search.restrict(scores)
            log_probs[index], ids[index] = best_tokens(scores, log_probs.shape[-1])
    before = np.array([search.log_probs for _, search in group])
    return best_continuations(log_probs, ids, before, count)
