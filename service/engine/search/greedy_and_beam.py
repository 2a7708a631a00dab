"""Greedy and beam search over the same decoder step, one object per sentence; pure NumPy.

A search sees log-probabilities and says which hypotheses live on. It knows no session, no cache
and no batch: the decoder maps its hypotheses to cache rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.search.logits_processors import (
    MASKED,
    is_any_active,
    logits_processors,
    process_all,
)
from service.engine.search.options import DecodeOptions, FinishReason, Hypothesis
from service.engine.search.ranking import best_reachable, length_normalised
from service.engine.search.repetition import CHECK_EVERY, RETRY_NGRAM, repeated_tail

LOOKAHEAD_TOKENS = 3
"""How many more tokens a live prefix is expected to need at most, when it is asked whether it can
still win. Without a length penalty the answer does not depend on it; docs/decisions/0014."""

Hypotheses = tuple[Hypothesis, ...]
"""The result of a search, best first."""


Continuation = tuple[int, int, float]
"""A live hypothesis with one more token: which of them, the token, its log-probability in nats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivors:
    """The hypotheses that take another step, in the order in which they are live from now on."""

    parents: list[int]
    """Which of the live hypotheses each continues."""
    tokens: list[int]
    """What each appends: the decoder's next input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The sentence loops: it is to be decoded from its beginning by another search."""

    search: Search


class _Prefix(NamedTuple):
    """A live hypothesis of a beam; the tokens before the last are its parent's."""

    parent: _Prefix | None
    token: int
    token_log_prob: float
    log_prob: float
    """Of all tokens."""
    length: int


_START = _Prefix(parent=None, token=-1, token_log_prob=0.0, log_prob=0.0, length=0)


class GreedySearch:
    """Takes the best token of every step; one live hypothesis."""

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
        """Whether the end token may come next; else `advance` wants the best of the others."""
        return _may_end(len(self._target_ids) + 1, self._options)

    def restrict(self, scores: NDArray[np.float32]) -> None:
        """Mask what may not come next, in place, float32 [1, vocab]."""
        process_all(self._rules, scores[0], self._target_ids)

    def advance(self, token: int, log_prob: float | None) -> Hypotheses | Restart | None:
        """Append the best token of the step; the result once the sentence has ended."""
        if log_prob is not None and self._options.with_scores:
            self._token_log_probs.append(log_prob)
        if token == self._eos_id:
            return self._finish("stop")
        self._target_ids.append(token)
        if len(self._target_ids) >= self._options.max_target_tokens:
            return self._finish("length")
        if _is_loop(self._target_ids, self._options):
            return Restart(search=_without_loops(self._options, self._eos_id))
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


class BeamSearch:
    """Keeps the `beam_size` best prefixes as long as they can overtake what has finished.

    Of the 2 x beam best continuations, those that end the sentence and rank within the beam are
    finished; the best others live on. Whoever cannot win any more is dropped, and gives up its row.
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
        """Prefixes that take the next step: rows of candidates that `advance` expects."""
        return len(self._live)

    @property
    def num_candidates(self) -> int:
        """Continuations that `advance` wants: whichever end, enough are left to live on."""
        return 2 * self._options.beam_size

    @property
    def log_probs(self) -> list[float]:
        """Of each live prefix, nats."""
        return [prefix.log_prob for prefix in self._live]

    @property
    def is_restricted(self) -> bool:
        """Whether `restrict` must see the scores of the coming step."""
        return bool(self._rules) and is_any_active(self._rules, self._live[0].length)

    def restrict(self, scores: NDArray[np.float32]) -> None:
        """Mask what may not come next, in place, float32 [live, vocab]."""
        for prefix, row in zip(self._live, scores, strict=True):
            process_all(self._rules, row, _unwind(prefix)[0])

    def advance(self, continuations: Sequence[Continuation]) -> Survivors | Hypotheses | Restart:
        """Extend the best prefixes by one token.

        Args:
            continuations: The `num_candidates` best of all live prefixes, best first; masked ones
                may be among them.

        Returns:
            Who lives on, or the result once the sentence has ended.
        """
        beam_size = self._options.beam_size
        parents: list[int] = []
        prefixes: list[_Prefix] = []
        for rank, (parent, token, log_prob) in enumerate(continuations):
            if log_prob <= MASKED or (rank >= beam_size and len(prefixes) == beam_size):
                break  # what follows is worse, and nobody waits for it
            if token == self._eos_id:
                if rank < beam_size:
                    self._end(_extend(self._live[parent], token, log_prob))
            elif len(prefixes) < beam_size:
                parents.append(parent)
                prefixes.append(_extend(self._live[parent], token, log_prob))
        hopeful = [prefix for prefix in prefixes if self._may_win(prefix)]
        if hopeful or self._finished:
            self._live = hopeful  # else the rules leave nothing: what there is, is the result
        if not hopeful or hopeful[0].length >= self._options.max_target_tokens:
            return self._result()
        if self._loops():
            return Restart(search=_without_loops(self._options, self._eos_id))
        # They come best first, and so the hopeless ones are the last.
        tokens = [prefix.token for prefix in hopeful]
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
        # An end that comes too early is passed over: enough other continuations are left.
        if _may_end(ended.length, self._options):
            self._finished.append(self._hypothesis(ended, "stop"))

    def _loops(self) -> bool:
        best = self._live[0]
        # Looked at first, so that no prefix is unwound without need.
        if self._options.max_loop_tokens is None or best.length % CHECK_EVERY:
            return False
        return _is_loop(_unwind(best)[0], self._options)

    def _may_win(self, prefix: _Prefix) -> bool:
        """Whether it could still be among the hypotheses that are returned."""
        wanted = self._options.num_hypotheses
        if len(self._finished) < wanted:
            return True
        longest = min(self._options.max_target_tokens, prefix.length + self._lookahead)
        reachable = best_reachable(prefix.log_prob, longest, self._options.length_penalty)
        return reachable > self._ranked_finished()[wanted - 1].score

    def _ranked_finished(self) -> list[Hypothesis]:
        return sorted(self._finished, key=lambda h: h.score, reverse=True)

    def _result(self) -> Hypotheses:
        """Best finished hypotheses; cut-off prefixes only where too few have finished."""
        wanted = self._options.num_hypotheses
        finished = self._ranked_finished()[:wanted]
        cut_off = [self._hypothesis(p, "length") for p in self._live]
        cut_off.sort(key=lambda h: h.score, reverse=True)
        return tuple([*finished, *cut_off][:wanted])


Search = GreedySearch | BeamSearch


def begin_search(options: DecodeOptions, eos_id: int, *, is_retry: bool = False) -> Search:
    """The search that `options` ask for; a retry says that the first attempt looped."""
    kind = GreedySearch if options.beam_size == 1 else BeamSearch
    return kind(options, eos_id, is_retry=is_retry)


def _may_end(length: int, options: DecodeOptions) -> bool:
    """Whether an output may have `length` tokens, the end token included."""
    return length > options.min_target_tokens or length <= len(options.prefix_ids)


def _is_loop(target_ids: Sequence[int], options: DecodeOptions) -> bool:
    longest, length = options.max_loop_tokens, len(target_ids)
    if longest is None or length <= longest or length % CHECK_EVERY:
        return False
    return repeated_tail(target_ids) > longest


def _without_loops(options: DecodeOptions, eos_id: int) -> Search:
    size = options.no_repeat_ngram or RETRY_NGRAM
    strict = replace(options, no_repeat_ngram=size, max_loop_tokens=None)
    return begin_search(strict, eos_id, is_retry=True)


def best_tokens(
    log_probs: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The `count` best of float32 [live, vocab] and their ids, both [live, count], best first."""
    ids = np.argsort(-log_probs, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(log_probs, ids, axis=1), ids


def best_continuations(
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
        For each search, best first; of equals the one of the earlier prefix, then the better token.
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
