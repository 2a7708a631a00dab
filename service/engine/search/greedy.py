"""Greedy search: the best token of every step, for all sentences of a batch.

A search sees tokens and log-probabilities and decides which hypotheses stay live; it knows no
session, no cache and no rows. Plain lists: between two runs of the decoder the caches are cold, and
one short loop costs less than the dozen array operations that it would be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.engine.search.logits_processors import (
    LogitsProcessor,
    is_any_active,
    logits_processors,
    process_all,
)
from service.engine.search.options import DecodeOptions, FinishReason, Hypothesis
from service.engine.search.outcome import (
    Hypotheses,
    SearchStep,
    is_loop,
    may_end,
    next_check,
    options_without_loops,
)
from service.engine.search.ranking import length_normalised
from service.engine.search.trace import NUM_TRACED, Candidate, SearchTrace, StopReason, greedy_step

BestTokens = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Log-probabilities and ids of the best tokens of each sentence, [sentences, candidates]."""


@dataclass(slots=True, kw_only=True)
class _Sentence:
    """The search of one sentence."""

    options: DecodeOptions
    rules: tuple[LogitsProcessor, ...]
    is_retry: bool
    """Whether this is the second attempt after a loop."""
    next_check: int
    """Length at which the sentence must be looked at."""
    target_ids: list[int] = field(default_factory=list)
    """Chosen tokens, the end token included."""
    token_log_probs: list[float] = field(default_factory=list)
    """Their log-probabilities, nats, where they are computed."""
    trace: list[tuple[Candidate, ...]] = field(default_factory=list)
    """The candidates of every step, where a trace is requested."""


class GreedySearch:
    """The searches of all sentences that keep one hypothesis."""

    beam_size = 1

    def __init__(self, eos_id: int) -> None:
        """Begin without sentences."""
        self._eos_id = eos_id
        self._sentences: list[_Sentence] = []
        self._num_ruled = 0
        self._num_scored = 0
        self._num_traced = 0
        self._num_with_shortest = 0

    @property
    def num_sentences(self) -> int:
        """Sentences that take the next step."""
        return len(self._sentences)

    @property
    def num_live(self) -> NDArray[np.int64]:
        """Hypotheses of each sentence that take the next step: one, int64 [sentences]."""
        return np.ones(len(self._sentences), dtype=np.int64)

    @property
    def num_candidates(self) -> int:
        """1 where `advance` must be given log-probabilities, more for traces, else 0."""
        return NUM_TRACED if self._num_traced else int(self._num_scored > 0)

    @property
    def is_traced(self) -> bool:
        """Whether `advance` must be given the best tokens."""
        return self._num_traced > 0

    def begin(self, options: DecodeOptions) -> int:
        """Add a sentence; its index until another one leaves."""
        self._sentences.append(self._counted(_begun(options, is_retry=False)))
        return len(self._sentences) - 1

    def remove(self, index: int) -> None:
        """Remove a sentence; the last one takes its index."""
        self._discount(self._sentences[index])
        self._sentences[index] = self._sentences[-1]
        self._sentences.pop()

    def clear(self) -> None:
        """Remove all sentences."""
        self._sentences.clear()
        self._num_ruled = self._num_scored = self._num_traced = self._num_with_shortest = 0

    def restricted(self) -> list[int]:
        """Sentences for which `restrict` must see the scores of the coming step."""
        if not self._num_ruled:
            return []
        return [
            index
            for index, sentence in enumerate(self._sentences)
            if is_any_active(sentence.rules, len(sentence.target_ids))
        ]

    def ending_too_early(self, tokens: NDArray[np.int64]) -> list[int]:
        """Sentences whose best token is the end, which they may not yet take, int64 [sentences]."""
        if not self._num_with_shortest:
            return []
        ended: list[int] = (tokens == self._eos_id).nonzero()[0].tolist()
        return [index for index in ended if not self.may_end(index)]

    def may_end(self, index: int) -> bool:
        """Whether the end token may come next."""
        sentence = self._sentences[index]
        return may_end(len(sentence.target_ids) + 1, sentence.options)

    def restrict(self, index: int, scores: NDArray[np.float32]) -> None:
        """Mask the tokens of a sentence that may not come next, in place, float32 [vocab]."""
        sentence = self._sentences[index]
        process_all(sentence.rules, scores, sentence.target_ids)

    def advance(
        self,
        tokens: Sequence[int],
        log_probs: Sequence[float] | None,
        best: BestTokens | None = None,
    ) -> SearchStep:
        """Append a token to every sentence.

        Args:
            tokens: The best that may come next.
            log_probs: Their log-probabilities, nats; None where `num_candidates` is 0.
            best: The best tokens, whether they may come or not; None unless `is_traced`.
        """
        if best is not None and log_probs is not None:
            self._trace(tokens, log_probs, best)
        if log_probs is not None:
            for sentence, log_prob in zip(self._sentences, log_probs, strict=True):
                sentence.token_log_probs.append(log_prob)
        step = SearchStep()
        for index, (sentence, token) in enumerate(zip(self._sentences, tokens, strict=True)):
            sentence.target_ids.append(token)
            if token == self._eos_id or len(sentence.target_ids) >= sentence.next_check:
                self._look_at(index, step)
        return step

    def _trace(self, tokens: Sequence[int], log_probs: Sequence[float], best: BestTokens) -> None:
        for sentence, chosen, top_log_probs, top_ids in zip(
            self._sentences, zip(tokens, log_probs, strict=True), *best, strict=True
        ):
            if not sentence.options.with_trace:
                continue
            before = sum(sentence.token_log_probs)
            is_end = chosen[0] == self._eos_id
            score = _score(sentence, before + chosen[1]) if is_end else None
            step = greedy_step(
                top_ids.tolist(), top_log_probs.tolist(), chosen, before, score=score
            )
            sentence.trace.append(step)

    def _look_at(self, index: int, step: SearchStep) -> None:
        """End a sentence or begin it again, if that is due."""
        sentence = self._sentences[index]
        ids, options = sentence.target_ids, sentence.options
        if ids[-1] == self._eos_id:
            step.finished[index] = _result(sentence, "stop")
        elif len(ids) >= options.max_target_tokens:
            step.finished[index] = _result(sentence, "length")
        elif is_loop(ids, options):
            self._discount(sentence)
            again = _begun(options_without_loops(options), is_retry=True)
            self._sentences[index] = self._counted(again)
            step.restarted.append(index)
        else:
            sentence.next_check = next_check(len(ids), options)

    def _counted(self, sentence: _Sentence) -> _Sentence:
        self._num_ruled += bool(sentence.rules)
        self._num_scored += sentence.options.with_scores
        self._num_traced += sentence.options.with_trace
        self._num_with_shortest += sentence.options.min_target_tokens > 0
        return sentence

    def _discount(self, sentence: _Sentence) -> None:
        self._num_ruled -= bool(sentence.rules)
        self._num_scored -= sentence.options.with_scores
        self._num_traced -= sentence.options.with_trace
        self._num_with_shortest -= sentence.options.min_target_tokens > 0


def _begun(options: DecodeOptions, *, is_retry: bool) -> _Sentence:
    return _Sentence(
        options=options,
        rules=logits_processors(options),
        is_retry=is_retry,
        next_check=next_check(0, options),
    )


def _result(sentence: _Sentence, reason: FinishReason) -> Hypotheses:
    length = len(sentence.target_ids)
    log_probs = sentence.token_log_probs if sentence.options.with_scores else []
    return (
        Hypothesis(
            target_ids=tuple(sentence.target_ids[: length - (reason == "stop")]),
            token_log_probs=tuple(log_probs),
            finish_reason="repetition" if sentence.is_retry else reason,
            has_ended=reason == "stop",
            score=length_normalised(sum(log_probs), length, sentence.options.length_penalty),
            trace=_trace_of(sentence, "end" if reason == "stop" else "length"),
        ),
    )


def _score(sentence: _Sentence, log_prob: float) -> float:
    """Of the sentence if the next token ends it, nats."""
    length = len(sentence.target_ids) + 1
    return length_normalised(log_prob, length, sentence.options.length_penalty)


def _trace_of(sentence: _Sentence, stop: StopReason) -> SearchTrace | None:
    if not sentence.options.with_trace:
        return None
    return SearchTrace(steps=tuple(sentence.trace), stop=stop)
