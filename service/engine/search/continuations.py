"""Continuations of the hypotheses in a beam: the best tokens after each, ranked together."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.search.logits_processors import MASKED

DEAD = 2 * MASKED
"""Log-probability of a place without a live hypothesis: below that of every masked token."""


class Continuations(NamedTuple):
    """Extensions of hypotheses by one token, best first; every array is [sentences, count]."""

    parents: NDArray[np.int64]
    """Place of the extended hypothesis in its beam, int64."""
    tokens: NDArray[np.int64]
    """int64."""
    token_log_probs: NDArray[np.float32]
    """Nats, float32."""
    log_probs: NDArray[np.float64]
    """Summed over all tokens of the hypothesis, nats, float64."""

    def first(self, count: int) -> "Continuations":
        """The `count` best."""
        return Continuations(
            self.parents[:, :count],
            self.tokens[:, :count],
            self.token_log_probs[:, :count],
            self.log_probs[:, :count],
        )

    def chosen(self, places: NDArray[np.int64]) -> "Continuations":
        """Those at places of the flattened arrays, int64 [sentences, count]."""
        return Continuations(
            self.parents.take(places),
            self.tokens.take(places),
            self.token_log_probs.take(places),
            self.log_probs.take(places),
        )


def best_tokens(
    log_probs: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The `count` best of float32 [live, vocab] and their ids, both [live, count], best first.

    The lower id comes first among equals.
    """
    costs = -log_probs
    count = min(count, costs.shape[1])
    last = np.partition(costs, count - 1, axis=1)[:, count - 1]
    ids = np.stack([_lowest(*row, count) for row in zip(costs, last, strict=True)])
    return np.take_along_axis(log_probs, ids, axis=1), ids


def _lowest(costs: NDArray[np.float32], last: np.float32, count: int) -> NDArray[np.int64]:
    """Ids of the `count` lowest costs, in order, of float32 [vocab]; `last` is the highest."""
    # Sorting all of a vocabulary takes thirty times as long.
    ids = (costs <= last).nonzero()[0]
    return ids[costs[ids].argsort(kind="stable")[:count]]


def best_continuations(
    log_probs: NDArray[np.float32],
    ids: NDArray[np.int64],
    before: NDArray[np.float64],
    count: int,
) -> Continuations:
    """Rank the continuations of every sentence.

    Args:
        log_probs: The best tokens after each prefix, best first, nats,
            float32 [sentences, beam, candidates].
        ids: Those tokens, int64 [sentences, beam, candidates].
        before: Log-probability of each prefix, nats, float64 [sentences, beam].
        count: How many to return.

    Returns:
        The best of each sentence; equals ordered by prefix, then by rank of the token.
    """
    sentences, beam, candidates = log_probs.shape
    totals = (log_probs + before[:, :, None]).reshape(sentences, -1)
    order = (-totals).argsort(axis=1, kind="stable")[:, :count]
    chosen = order + _starts(sentences, beam * candidates)
    # `take` reads the flattened arrays.
    return Continuations(
        order // candidates, ids.take(chosen), log_probs.take(chosen), totals.take(chosen)
    )


@lru_cache(maxsize=1024)
def _starts(rows: int, width: int) -> NDArray[np.int64]:
    """Where each row begins in a flattened array, int64 [rows, 1]; shared, not to be changed."""
    return np.arange(rows)[:, None] * width


def without_ends(ranked: Continuations, is_end: NDArray[np.bool_], count: int) -> Continuations:
    """The first `count` continuations of each sentence that do not end it, `DEAD` beyond."""
    order = is_end.argsort(axis=1, kind="stable")[:, :count]
    chosen = order + _starts(*is_end.shape)
    kept = ranked.chosen(chosen)
    kept.log_probs[is_end.take(chosen)] = DEAD
    return kept
