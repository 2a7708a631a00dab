"""Scores that compare hypotheses of different lengths."""

import math


def length_normalised(log_prob: float, length: int, alpha: float) -> float:
    """Divide a summed log-probability by the length penalty of Wu et al. (2016), equation 14.

    Args:
        log_prob: Summed log-probability in nats.
        length: Generated tokens, the end token included, at least 1.
        alpha: Strength of the penalty; 0 leaves `log_prob` as it is.
    """
    return log_prob / _penalty(length, alpha)


def best_reachable(log_prob: float, max_length: int, alpha: float) -> float:
    """Upper bound of the score that a live hypothesis can still reach.

    Each token lowers the log-probability and raises the penalty, so the bound is the current sum
    at the maximum length.
    """
    return length_normalised(log_prob, max_length, alpha)


def _penalty(length: int, alpha: float) -> float:
    try:
        return float(((5 + length) / 6) ** alpha)
    except OverflowError:
        return math.inf  # a huge alpha makes every score 0, instead of failing the batch
