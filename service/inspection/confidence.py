"""How much the attention of a translation looks like that of a good one.

After Rikters and Fishel (2017), "Confidence through Attention". A good translation looks at every
source token about once, and each of its tokens looks at few.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 1e-12
"""Keeps the logarithm of nothing finite; what it is multiplied with is nothing as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """Penalties of one attention map, and what they leave of 1."""

    coverage_deviation: float
    """Mean over source tokens of log(1 + (1 - c)^2), c being all attention that a token gets, nats;
    0 if every source token is looked at once in sum."""
    absentmindedness: float
    """Mean entropy of the target tokens' attention, of the greatest possible; from 0 to 1."""

    @property
    def value(self) -> float:
        """exp(-deviation) * (1 - absentmindedness): 1 is best, 0 worst."""
        return float(np.exp(-self.coverage_deviation)) * (1 - self.absentmindedness)


def confidence_of(attention: NDArray[np.float32]) -> Confidence:
    """Judge the attention of one sentence pair.

    Args:
        attention: Of one head, float32 [query, key]; each row sums to 1.
    """
    return Confidence(
        coverage_deviation=coverage_deviation(attention),
        absentmindedness=absentmindedness(attention),
    )


def coverage_deviation(attention: NDArray[np.float32]) -> float:
    """How far source tokens are from being looked at once, 0 or more; see `Confidence`.

    A translation that is longer than its source looks oftener at all of it, so that coverage is
    counted in shares of what falls to a token on average.
    """
    coverage = attention.sum(axis=0) * attention.shape[1] / attention.shape[0]
    return float(np.log1p((1 - coverage) ** 2).mean())


def absentmindedness(attention: NDArray[np.float32]) -> float:
    """How widely target tokens look around, from 0 (at one token) to 1 (at all alike)."""
    num_keys = attention.shape[1]
    if num_keys == 1:
        return 0.0
    weights = attention.astype(np.float64)
    entropy = -(weights * np.log(np.maximum(weights, _SMALLEST))).sum(axis=1).mean()
    return float(np.clip(entropy / np.log(num_keys), 0, 1))
