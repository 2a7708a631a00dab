"""Detects loops: a few tokens repeated over and over, which a model does not leave by itself."""

from collections.abc import Sequence
from operator import eq

MAX_PERIOD = 12
"""Tokens of the longest unit that is detected."""
MIN_REPEATS = 3
CHECK_EVERY = 8
"""Tokens between two checks, so that ordinary sentences do not pay for them."""
TOLERATED_TOKENS = 16
"""Repeated tokens that are no loop yet: they may be laughter, or a row of digits."""
SOURCE_FACTOR = 2
"""Tokens of repetition in the translation that each repeated token of the source allows."""
RETRY_NGRAM = 3
"""Size of the n-grams that may not repeat in the second attempt at a sentence."""


def repeated_tail(ids: Sequence[int]) -> int:
    """Tokens at the end that repeat one unit at least `MIN_REPEATS` times; 0 if none do."""
    return max(_tail_of_period(ids, period) for period in range(1, MAX_PERIOD + 1))


def longest_repetition(ids: Sequence[int]) -> int:
    """Tokens of the longest such repetition at any position; 0 if there is none."""
    return max(_longest_of_period(ids, period) for period in range(1, MAX_PERIOD + 1))


def max_loop_tokens(source_ids: Sequence[int]) -> int:
    """Longest repeated tail allowed in the translation of a source, tokens."""
    return TOLERATED_TOKENS + SOURCE_FACTOR * longest_repetition(source_ids)


def _tail_of_period(ids: Sequence[int], period: int) -> int:
    run = 0
    for earlier, later in zip(reversed(ids[:-period]), reversed(ids), strict=False):
        if earlier != later:
            break
        run += 1
    return _if_repeated(run + period, period)


def _longest_of_period(ids: Sequence[int], period: int) -> int:
    equal = [*map(eq, ids, ids[period:])]
    if sum(equal) < (MIN_REPEATS - 1) * period:  # nearly always, and far cheaper to see
        return 0
    longest = run = 0
    for is_equal in equal:
        run = run + 1 if is_equal else 0
        longest = max(longest, run)
    return _if_repeated(longest + period, period)


def _if_repeated(length: int, period: int) -> int:
    return length if length >= MIN_REPEATS * period else 0
