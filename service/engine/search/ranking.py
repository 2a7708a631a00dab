"""How finished hypotheses of different lengths compare."""

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
    """Upper bound of what a live hypothesis can still score.

    Log-probabilities only fall as tokens are added and the penalty only grows, so the bound is
    the present sum at the longest length.
    """
    return length_normalised(log_prob, max_length, alpha)


def _penalty(length: int, alpha: float) -> float:
    try:
        return float(((5 + length) / 6) ** alpha)
    except OverflowError:
        return math.inf  # an absurd alpha makes every score 0: it must not fail the batch
