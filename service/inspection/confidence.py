"""Confidence in a translation, from its attention.

After Rikters and Fishel (2017), "Confidence through Attention". In a good translation every source
token is attended to about once, and each target token attends to few source tokens.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 1e-12
"""Keeps log(0) finite; it is multiplied by 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """Penalties of an attention map, and the confidence that they leave."""

    coverage_deviation: float
    """Mean over source tokens of log(1 + (1 - c)^2), nats, c being the attention to a token as a
    multiple of the average; 0 if all get as much."""
    absentmindedness: float
    """Mean entropy of the target tokens' attention as a share of the maximum, 0 to 1."""

    @property
    def value(self) -> float:
        """exp(-deviation) * (1 - absentmindedness): 1 is best, 0 worst."""
        return float(np.exp(-self.coverage_deviation)) * (1 - self.absentmindedness)


def confidence_of(attention: NDArray[np.float32]) -> Confidence:
    """Computes the confidence of one sentence pair.

    Args:
        attention: Of one head, float32 [query, key]; each row sums to 1.
    """
    return Confidence(
        coverage_deviation=coverage_deviation(attention),
        absentmindedness=absentmindedness(attention),
    )


def coverage_deviation(attention: NDArray[np.float32]) -> float:
    """How unequal the attention to source tokens is, 0 or more; see `Confidence`.

    A translation that is longer than its source has more attention in total, so coverage is
    measured in shares of the average.
    """
    coverage = attention.sum(axis=0) * attention.shape[1] / attention.shape[0]
    return float(np.log1p((1 - coverage) ** 2).mean())


def absentmindedness(attention: NDArray[np.float32]) -> float:
    """How widely attention is spread, from 0 (on one token) to 1 (on all alike)."""
    num_keys = attention.shape[1]
    if num_keys == 1:
        return 0.0
    weights = attention.astype(np.float64)
    entropy = -(weights * np.log(np.maximum(weights, _SMALLEST))).sum(axis=1).mean()
    return float(np.clip(entropy / np.log(num_keys), 0, 1))
