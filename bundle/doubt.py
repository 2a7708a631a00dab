"""Doubt about a translation, from the log-probabilities of its tokens: the formulas.

A logistic model of two figures of a sentence, their mean and their sum, gives the probability that
a reader accepts it. The sum says that a long sentence has more places to fail than a short one.
"""

import math
import re
from collections.abc import Sequence

from bundle.manifest import Doubt
from bundle.tokenizer import Span

DEFAULT_DOUBT = Doubt(bias=3.6, mean_weight=3.6, total_weight=0.32, low_word=-1.5)
"""The embedded English-German model's, rounded: for bundles that were never calibrated."""
_WORD = re.compile(r"⟦\d⟧|\w+(?:['’\-]\w+)*")  # noqa: RUF001


def confidence(doubt: Doubt, token_log_probs: Sequence[float]) -> float:
    """The probability that a reader accepts a translation.

    Args:
        doubt: Of the model.
        token_log_probs: Of every token with the end token, nats; at least one.
    """
    total = sum(token_log_probs)
    mean = total / len(token_log_probs)
    return _logistic(doubt.bias + doubt.mean_weight * mean + doubt.total_weight * total)


def word_log_probs(
    text: str, spans: Sequence[Span], token_log_probs: Sequence[float]
) -> list[tuple[Span, float]]:
    """Each word of an output with the summed log-probability of its tokens, nats.

    Punctuation marks are no words. A token in two words counts in both.

    Args:
        text: The output.
        spans: Of its tokens; those without characters are empty.
        token_log_probs: Of its tokens, nats; there may be more of them, as that of the end token.
    """
    found = [match.span() for match in _WORD.finditer(text)]
    totals = [0.0] * len(found)
    first = 0
    for (start, end), log_prob in zip(spans, token_log_probs, strict=False):
        while first < len(found) and found[first][1] <= start:
            first += 1
        word = first
        while word < len(found) and found[word][0] < end:
            totals[word] += log_prob
            word += 1
    return list(zip(found, totals, strict=True))


def _logistic(value: float) -> float:
    """1 / (1 + exp(-value)), without overflow."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    return math.exp(value) / (1 + math.exp(value))
