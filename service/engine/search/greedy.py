"""Greedy search: the best token of every step."""

import numpy as np
from numpy.typing import NDArray

from service.engine.search.logits_processors import is_any_active, logits_processors, process_all
from service.engine.search.options import DecodeOptions, FinishReason, Hypothesis
from service.engine.search.outcome import (
    Hypotheses,
    Restart,
    is_loop,
    may_end,
    restart_without_loops,
)
from service.engine.search.ranking import length_normalised


class GreedySearch:
    """The search of one sentence that keeps one hypothesis."""

    def __init__(self, options: DecodeOptions, eos_id: int, *, is_retry: bool = False) -> None:
        self._options = options
        self._eos_id = eos_id
        self._is_retry = is_retry
        self._rules = logits_processors(options)
        self._target_ids: list[int] = []
        self._token_log_probs: list[float] = []

    @property
    def num_candidates(self) -> int:
        """1 where `advance` must be given log-probabilities, else 0."""
        return int(self._options.with_scores)

    @property
    def is_restricted(self) -> bool:
        """Whether `restrict` must see the scores of the coming step."""
        return bool(self._rules) and is_any_active(self._rules, len(self._target_ids))

    @property
    def may_end(self) -> bool:
        """Whether the end token may come next; if not, `advance` takes the best other token."""
        return may_end(len(self._target_ids) + 1, self._options)

    def restrict(self, scores: NDArray[np.float32]) -> None:
        """Mask the tokens that may not come next, in place, float32 [1, vocab]."""
        process_all(self._rules, scores[0], self._target_ids)

    def advance(self, token: int, log_prob: float | None) -> Hypotheses | Restart | None:
        """Append the best token of the step.

        Args:
            token: The best of the tokens that may come next.
            log_prob: Its log-probability in nats; None where `num_candidates` is 0.

        Returns:
            The result once the sentence has ended; None while it has not.
        """
        if log_prob is not None and self._options.with_scores:
            self._token_log_probs.append(log_prob)
        if token == self._eos_id:
            return self._finish("stop")
        self._target_ids.append(token)
        if len(self._target_ids) >= self._options.max_target_tokens:
            return self._finish("length")
        if is_loop(self._target_ids, self._options):
            return restart_without_loops(self._options)
        return None

    def _finish(self, reason: FinishReason) -> Hypotheses:
        length = len(self._target_ids) + (reason == "stop")
        log_prob = sum(self._token_log_probs)
        return (
            Hypothesis(
                target_ids=tuple(self._target_ids),
                token_log_probs=tuple(self._token_log_probs),
                finish_reason="repetition" if self._is_retry else reason,
                has_ended=reason == "stop",
                score=length_normalised(log_prob, length, self._options.length_penalty),
            ),
        )
