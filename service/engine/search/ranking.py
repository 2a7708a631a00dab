"""Scores that compare hypotheses of different lengths."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def length_normalised(log_prob: float, length: int, alpha: float) -> float:
    """Divide a summed log-probability by the length penalty of Wu et al. (2016), equation 14.

    Args:
        log_prob: Summed log-probability in nats.
        length: Generated tokens, the end token included, at least 1.
        alpha: Strength of the penalty; 0 leaves `log_prob` as it is.
    """
    return log_prob / _penalty(length, alpha)


@lru_cache(maxsize=64)
def reach_penalties(max_length: int, alpha: float, lookahead: int) -> NDArray[np.float64]:
    """What to divide the sum of a live hypothesis by, for an upper bound of its later scores.

    Each token lowers the log-probability and raises the penalty, so the bound is the current sum
    at the greatest length that is considered.

    Args:
        max_length: Longest output, tokens.
        alpha: Strength of the penalty.
        lookahead: Tokens that a hypothesis is assumed to still need at most.

    Returns:
        Penalties by length of the hypothesis, float64 [max_length + 1]; read-only.
    """
    lengths = (min(max_length, length + lookahead) for length in range(max_length + 1))
    penalties = np.array([_penalty(length, alpha) for length in lengths])
    penalties.setflags(write=False)
    return penalties


def _penalty(length: int, alpha: float) -> float:
    try:
        return float(((5 + length) / 6) ** alpha)
    except OverflowError:
        return math.inf  # a huge alpha makes every score 0, instead of failing the batch
