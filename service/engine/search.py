"""Greedy and beam search over the same decoder step, one object per sentence; pure NumPy.

A search sees log-probabilities and says which hypotheses live on. It knows no session, no cache
and no batch: the decoder maps its hypotheses to cache rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.hypothesis import FinishReason, Hypothesis
from service.engine.options import DecodeOptions
from service.engine.ranking import best_reachable, length_normalised


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A hypothesis that takes another step."""

    parent: int
    """Which of the live hypotheses it continues."""
    token: int
    """What it appends: the decoder's next input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prefix:
    """A live hypothesis of a beam."""

    target_ids: tuple[int, ...] = ()
    token_log_probs: tuple[float, ...] = ()
    log_prob: float = 0.0


class GreedySearch:
    """Takes the best token of every step; one live hypothesis."""

    def __init__(self, options: DecodeOptions, eos_id: int) -> None:
        self._options = options
        self._eos_id = eos_id
        self._target_ids: list[int] = []
        self._token_log_probs: list[float] = []

    @property
    def needs_scores(self) -> bool:
        """Whether `advance` must be given log-probabilities."""
        return self._options.with_scores

    def advance(self, token: int, log_prob: float | None) -> tuple[Hypothesis, ...] | None:
        """Append the best token of the step; the result once the sentence has ended."""
        if log_prob is not None:
            self._token_log_probs.append(log_prob)
        if token == self._eos_id:
            return self._finish("stop")
        self._target_ids.append(token)
        if len(self._target_ids) >= self._options.max_target_tokens:
            return self._finish("length")
        return None

    def _finish(self, reason: FinishReason) -> tuple[Hypothesis, ...]:
        length = len(self._target_ids) + (reason == "stop")
        log_prob = sum(self._token_log_probs)
        return (
            Hypothesis(
                target_ids=tuple(self._target_ids),
                token_log_probs=tuple(self._token_log_probs),
                finish_reason=reason,
                score=length_normalised(log_prob, length, self._options.length_penalty),
            ),
        )


class BeamSearch:
    """Keeps the `beam_size` best prefixes; ends when as many hypotheses are finished.

    Of the 2 x beam best continuations, those that end the sentence and rank within the beam are
    finished; the best others live on. It also ends as soon as no live prefix can overtake the
    hypotheses that will be returned, which changes no result.
    """

    def __init__(self, options: DecodeOptions, eos_id: int) -> None:
        self._options = options
        self._eos_id = eos_id
        self._live = [_Prefix()]
        self._finished: list[Hypothesis] = []

    @property
    def num_live(self) -> int:
        """Prefixes that take the next step: rows of `log_probs` that `advance` expects."""
        return len(self._live)

    def advance(self, log_probs: NDArray[np.float32]) -> list[Survivor] | tuple[Hypothesis, ...]:
        """Extend every live prefix by one token.

        Args:
            log_probs: Log-probability of every token after each live prefix, nats,
                float32 [live, vocab].

        Returns:
            The survivors in the order in which they are live from now on, or the result, best
            first, once the sentence has ended.
        """
        survivors: list[Survivor] = []
        prefixes: list[_Prefix] = []
        for rank, (parent, token) in enumerate(self._best_continuations(log_probs)):
            extended = self._extend(self._live[parent], token, float(log_probs[parent, token]))
            if token == self._eos_id:
                if rank < self._options.beam_size:
                    self._finished.append(self._hypothesis(extended, "stop"))
            elif len(prefixes) < self._options.beam_size:
                survivors.append(Survivor(parent=parent, token=token))
                prefixes.append(extended)
        self._live = prefixes
        return self._result() if self._is_finished() else survivors

    def _best_continuations(self, log_probs: NDArray[np.float32]) -> list[tuple[int, int]]:
        """(parent, token) of the 2 x beam best continuations, best first."""
        totals = log_probs + np.array([[p.log_prob] for p in self._live], dtype=np.float32)
        totals = totals.ravel()
        first = max(0, totals.size - 2 * self._options.beam_size)
        # All that tie with the last place, then the first of them: as greedy search breaks ties.
        candidates = np.flatnonzero(totals >= np.partition(totals, first)[first])
        order = np.argsort(-totals[candidates], kind="stable")[: totals.size - first]
        vocab_size = log_probs.shape[1]
        return [divmod(int(i), vocab_size) for i in candidates[order]]

    def _extend(self, prefix: _Prefix, token: int, log_prob: float) -> _Prefix:
        ids = prefix.target_ids if token == self._eos_id else (*prefix.target_ids, token)
        return _Prefix(
            target_ids=ids,
            token_log_probs=(*prefix.token_log_probs, log_prob),
            log_prob=prefix.log_prob + log_prob,
        )

    def _hypothesis(self, prefix: _Prefix, reason: FinishReason) -> Hypothesis:
        length = len(prefix.token_log_probs)
        return Hypothesis(
            target_ids=prefix.target_ids,
            token_log_probs=prefix.token_log_probs,
            finish_reason=reason,
            score=length_normalised(prefix.log_prob, length, self._options.length_penalty),
        )

    def _is_finished(self) -> bool:
        if not self._live or len(self._finished) >= self._options.beam_size:
            return True
        if len(self._live[0].target_ids) >= self._options.max_target_tokens:
            return True
        if len(self._finished) < self._options.num_hypotheses:
            return False
        alpha, longest = self._options.length_penalty, self._options.max_target_tokens
        reachable = max(best_reachable(p.log_prob, longest, alpha) for p in self._live)
        return reachable <= self._ranked_finished()[self._options.num_hypotheses - 1].score

    def _ranked_finished(self) -> list[Hypothesis]:
        return sorted(self._finished, key=lambda h: h.score, reverse=True)

    def _result(self) -> tuple[Hypothesis, ...]:
        """Best finished hypotheses; cut-off prefixes only where too few have finished."""
        wanted = self._options.num_hypotheses
        finished = self._ranked_finished()[:wanted]
        cut_off = [self._hypothesis(p, "length") for p in self._live]
        cut_off.sort(key=lambda h: h.score, reverse=True)
        return tuple([*finished, *cut_off][:wanted])
