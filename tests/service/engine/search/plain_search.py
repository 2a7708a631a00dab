"""The searches as one plain object per sentence: slow, and what the vectorised ones must equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.search.beam import LOOKAHEAD_TOKENS
from service.engine.search.logits_processors import (
    MASKED,
    is_any_active,
    logits_processors,
    process_all,
)
from service.engine.search.options import DecodeOptions, FinishReason, Hypothesis
from service.engine.search.outcome import (
    Hypotheses,
    is_loop,
    may_end,
    options_without_loops,
)
from service.engine.search.ranking import length_normalised
from service.engine.search.repetition import CHECK_EVERY

Continuation = tuple[int, int, float]
"""Extension of a live hypothesis by one token: index of the hypothesis, token, log-probability of
the token in nats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivors:
    """The hypotheses that take another step, in their order from now on."""

    parents: list[int]
    tokens: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The output loops: the sentence is decoded again from its first token."""

    options: DecodeOptions


def begin(
    options: DecodeOptions,
    eos_id: int,
    *,
    is_retry: bool = False,
    lookahead: int = LOOKAHEAD_TOKENS,
) -> PlainGreedy | PlainBeam:
    """The search for `options`; `is_retry` marks the second attempt after a loop."""
    if options.beam_size == 1:
        return PlainGreedy(options, eos_id, is_retry=is_retry)
    return PlainBeam(options, eos_id, is_retry=is_retry, lookahead=lookahead)


class PlainGreedy:
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
            return Restart(options=options_without_loops(self._options))
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


class _Prefix(NamedTuple):
    """A live hypothesis as the last node of a linked list: it shares its parent's tokens."""

    parent: _Prefix | None
    token: int
    token_log_prob: float
    log_prob: float
    """Summed over all tokens, nats."""
    length: int


_START = _Prefix(parent=None, token=-1, token_log_prob=0.0, log_prob=0.0, length=0)


class PlainBeam:
    """The search of one sentence that keeps the `beam_size` best prefixes.

    Of the 2 x beam best continuations, those that end the sentence and rank within the beam are
    finished; the best of the rest stay live. Prefixes that can no longer beat a finished hypothesis
    are pruned, and their rows become free.
    """

    def __init__(
        self,
        options: DecodeOptions,
        eos_id: int,
        *,
        is_retry: bool = False,
        lookahead: int = LOOKAHEAD_TOKENS,
    ) -> None:
        self._options = options
        self._eos_id = eos_id
        self._is_retry = is_retry
        self._lookahead = lookahead
        self._rules = logits_processors(options)
        self._live = [_START]
        self._finished: list[Hypothesis] = []

    @property
    def num_live(self) -> int:
        """Prefixes that take the next step, each with a row of candidates."""
        return len(self._live)

    @property
    def num_candidates(self) -> int:
        """Continuations that `advance` needs: with half of them ended, a whole beam is left."""
        return 2 * self._options.beam_size

    @property
    def log_probs(self) -> list[float]:
        """Summed log-probability of each live prefix, nats."""
        return [prefix.log_prob for prefix in self._live]

    @property
    def is_restricted(self) -> bool:
        """Whether `restrict` must see the scores of the coming step."""
        return bool(self._rules) and is_any_active(self._rules, self._live[0].length)

    def restrict(self, scores: NDArray[np.float32]) -> None:
        """Mask the tokens that may not come next, in place, float32 [live, vocab]."""
        for prefix, row in zip(self._live, scores, strict=True):
            process_all(self._rules, row, _unwind(prefix)[0])

    def advance(self, continuations: Sequence[Continuation]) -> Survivors | Hypotheses | Restart:
        """Extend the best prefixes by one token.

        Args:
            continuations: The `num_candidates` best of all live prefixes, best first; masked ones
                may be among them.

        Returns:
            The prefixes that stay live, or the result once the sentence has ended.
        """
        beam_size = self._options.beam_size
        parents: list[int] = []
        prefixes: list[_Prefix] = []
        for rank, (parent, token, log_prob) in enumerate(continuations):
            if log_prob <= MASKED or (rank >= beam_size and len(prefixes) == beam_size):
                break  # the rest rank lower, and the beam is full
            if token == self._eos_id:
                if rank < beam_size:
                    self._end(_extend(self._live[parent], token, log_prob))
            elif len(prefixes) < beam_size:
                parents.append(parent)
                prefixes.append(_extend(self._live[parent], token, log_prob))
        live = [prefix for prefix in prefixes if self._may_win(prefix)]
        if live or self._finished:
            self._live = live  # else the rules leave no token, and the old prefixes are the result
        if not live or live[0].length >= self._options.max_target_tokens:
            return self._result()
        if self._is_looping():
            return Restart(options=options_without_loops(self._options))
        # Prefixes are ordered best first, so the pruned ones were the last.
        tokens = [prefix.token for prefix in live]
        return Survivors(parents=parents[: len(tokens)], tokens=tokens)

    def _hypothesis(self, prefix: _Prefix, reason: FinishReason) -> Hypothesis:
        ids, log_probs = _unwind(prefix)
        return Hypothesis(
            target_ids=ids[:-1] if reason == "stop" else ids,
            token_log_probs=log_probs,
            finish_reason="repetition" if self._is_retry else reason,
            has_ended=reason == "stop",
            score=length_normalised(prefix.log_prob, prefix.length, self._options.length_penalty),
        )

    def _end(self, ended: _Prefix) -> None:
        # Too early an end is skipped: enough other continuations are left.
        if may_end(ended.length, self._options):
            self._finished.append(self._hypothesis(ended, "stop"))

    def _is_looping(self) -> bool:
        best = self._live[0]
        # Checked first, because unwinding a prefix costs its length.
        if self._options.max_loop_tokens is None or best.length % CHECK_EVERY:
            return False
        return is_loop(_unwind(best)[0], self._options)

    def _may_win(self, prefix: _Prefix) -> bool:
        """Whether an extension of the prefix could be among the returned hypotheses."""
        wanted = self._options.num_hypotheses
        if len(self._finished) < wanted:
            return True
        longest = min(self._options.max_target_tokens, prefix.length + self._lookahead)
        reachable = length_normalised(prefix.log_prob, longest, self._options.length_penalty)
        return reachable > self._ranked_finished()[wanted - 1].score

    def _ranked_finished(self) -> list[Hypothesis]:
        return sorted(self._finished, key=lambda h: h.score, reverse=True)

    def _result(self) -> Hypotheses:
        """The best finished hypotheses, filled up with cut-off prefixes where there are too few."""
        wanted = self._options.num_hypotheses
        finished = self._ranked_finished()[:wanted]
        cut_off = [self._hypothesis(p, "length") for p in self._live]
        cut_off.sort(key=lambda h: h.score, reverse=True)
        return tuple([*finished, *cut_off][:wanted])


def ranked_continuations(
    log_probs: NDArray[np.float32],
    ids: NDArray[np.int64],
    before: NDArray[np.float64],
    count: int,
) -> list[list[Continuation]]:
    """Rank the continuations of several searches at once.

    Args:
        log_probs: The `count` best tokens after each live prefix, best first, nats,
            float32 [batch, live, candidates].
        ids: Those tokens, int64 [batch, live, candidates].
        before: Log-probability of each prefix, nats, float64 [batch, live].
        count: How many to return.

    Returns:
        For each search, best first; equals ordered by prefix, then by rank of the token.
    """
    batch, live, candidates = log_probs.shape
    totals = (log_probs + before[..., None]).reshape(batch, -1)
    order = np.argsort(-totals, axis=1, kind="stable")[:, :count]
    places = order + live * candidates * np.arange(batch)[:, None]
    columns = (order // candidates, ids.ravel()[places], log_probs.ravel()[places])
    return [
        list(zip(*row, strict=True)) for row in zip(*(c.tolist() for c in columns), strict=True)
    ]


def _extend(prefix: _Prefix, token: int, log_prob: float) -> _Prefix:
    return _Prefix(prefix, token, log_prob, prefix.log_prob + log_prob, prefix.length + 1)


def _unwind(prefix: _Prefix) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Tokens and their log-probabilities, from the first to the last."""
    ids: list[int] = []
    log_probs: list[float] = []
    node: _Prefix | None = prefix
    while node is not None and node.length:
        ids.append(node.token)
        log_probs.append(node.token_log_prob)
        node = node.parent
    return tuple(reversed(ids)), tuple(reversed(log_probs))
