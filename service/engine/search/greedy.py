"""Greedy search: the best token of every step, for all sentences at once.

A search keeps the state of many sentences in arrays. It sees log-probabilities and decides which
hypotheses stay live; it knows no session, no cache and no rows.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.engine.search.logits_processors import process_all
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
from service.engine.search.sentences import Sentences


class GreedySearch:
    """The searches of all sentences that keep one hypothesis."""

    beam_size = 1

    def __init__(self, num_sentences: int, max_target_tokens: int, eos_id: int) -> None:
        """Allocate the state.

        Args:
            num_sentences: Most sentences at a time.
            max_target_tokens: Most tokens of an output.
            eos_id: The end token.
        """
        self._eos_id = eos_id
        self._target_ids = np.zeros((num_sentences, max_target_tokens), dtype=np.int64)
        """Chosen tokens, the end token included, int64 [sentences, target]."""
        self._token_log_probs = np.zeros((num_sentences, max_target_tokens), dtype=np.float32)
        """Their log-probabilities where they are computed, float32 [sentences, target]."""
        self._sentences = Sentences(num_sentences, (self._target_ids, self._token_log_probs))
        self._num_scored = 0
        self._places = np.arange(num_sentences)

    @property
    def num_sentences(self) -> int:
        """Sentences that take the next step."""
        return len(self._sentences.asked)

    @property
    def num_live(self) -> NDArray[np.int64]:
        """Hypotheses of each sentence that take the next step: one, int64 [sentences]."""
        return np.ones(len(self._sentences.asked), dtype=np.int64)

    @property
    def num_candidates(self) -> int:
        """1 where `advance` must be given log-probabilities, else 0."""
        return int(self._num_scored > 0)

    def begin(self, options: DecodeOptions) -> int:
        """Add a sentence; its index until another one leaves."""
        self._num_scored += options.with_scores
        return self._sentences.add(options)

    def remove(self, index: int) -> None:
        """Remove a sentence; the last one takes its index."""
        self._num_scored -= self._sentences.asked[index].options.with_scores
        self._sentences.remove(index)

    def clear(self) -> None:
        """Remove all sentences."""
        self._sentences.clear()
        self._num_scored = 0

    def restricted(self) -> list[int]:
        """Sentences for which `restrict` must see the scores of the coming step."""
        return self._sentences.restricted()

    def ending_too_early(self, tokens: NDArray[np.int64]) -> list[int]:
        """Sentences that may not yet take the end token, which is their best, int64 [sentences]."""
        ended: list[int] = (tokens == self._eos_id).nonzero()[0].tolist()
        return [index for index in ended if not self.may_end(index)]

    def may_end(self, index: int) -> bool:
        """Whether the end token may come next."""
        sentences = self._sentences
        return may_end(int(sentences.lengths[index]) + 1, sentences.asked[index].options)

    def restrict(self, index: int, scores: NDArray[np.float32]) -> None:
        """Mask the tokens of a sentence that may not come next, in place, float32 [vocab]."""
        length = int(self._sentences.lengths[index])
        target_ids: Sequence[int] = self._target_ids[index, :length].tolist()
        process_all(self._sentences.asked[index].rules, scores, target_ids)

    def advance(
        self, tokens: NDArray[np.int64], log_probs: NDArray[np.float32] | None
    ) -> SearchStep:
        """Append a token to every sentence.

        Args:
            tokens: The best that may come next, int64 [sentences].
            log_probs: Their log-probabilities, nats, float32 [sentences]; None where
                `num_candidates` is 0.
        """
        count = len(self._sentences.asked)
        lengths, places = self._sentences.lengths[:count], self._places[:count]
        self._target_ids[places, lengths] = tokens
        if log_probs is not None:
            self._token_log_probs[places, lengths] = log_probs
        lengths += 1
        is_due = (tokens == self._eos_id) | (lengths >= self._sentences.next_checks[:count])
        step = SearchStep()
        for index in is_due.nonzero()[0].tolist():
            self._look_at(index, step)
        return step

    def _look_at(self, index: int, step: SearchStep) -> None:
        """End a sentence or begin it again, if that is due."""
        sentences, asked = self._sentences, self._sentences.asked[index]
        length = int(sentences.lengths[index])
        if self._target_ids[index, length - 1] == self._eos_id:
            step.finished[index] = self._result(index, "stop")
        elif length >= asked.options.max_target_tokens:
            step.finished[index] = self._result(index, "length")
        elif is_loop(self._target_ids[index, :length].tolist(), asked.options):
            sentences.restart(index, options_without_loops(asked.options))
            step.restarted.append(index)
        else:
            sentences.next_checks[index] = next_check(length, asked.options)

    def _result(self, index: int, reason: FinishReason) -> Hypotheses:
        asked, length = self._sentences.asked[index], int(self._sentences.lengths[index])
        num_ids, num_scores = length - (reason == "stop"), length * asked.options.with_scores
        log_probs: list[float] = self._token_log_probs[index, :num_scores].tolist()
        return (
            Hypothesis(
                target_ids=tuple(self._target_ids[index, :num_ids].tolist()),
                token_log_probs=tuple(log_probs),
                finish_reason="repetition" if asked.is_retry else reason,
                has_ended=reason == "stop",
                score=length_normalised(sum(log_probs), length, asked.options.length_penalty),
            ),
        )
