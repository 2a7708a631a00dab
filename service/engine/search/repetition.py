"""Finds loops: the same few tokens again and again, which a model does not leave by itself."""

from collections.abc import Sequence

MAX_PERIOD = 12
"""Tokens of the longest unit that is looked for."""
MIN_REPEATS = 3
CHECK_EVERY = 8
"""Tokens between two looks: a loop can wait, ordinary sentences must not pay."""
TOLERATED_TOKENS = 16
"""A tail of repeated tokens up to here is no loop: it may be laughter, or a row of figures."""
SOURCE_FACTOR = 2
"""A source that repeats itself may be translated with this many times as many tokens."""
RETRY_NGRAM = 3
"""Size of the n-grams that may not be repeated when a sentence is decoded once more."""


def repeated_tail(ids: Sequence[int]) -> int:
    """Tokens at the end that one unit fills, repeated at least `MIN_REPEATS` times; else 0."""
    return max(_tail_of_period(ids, period) for period in range(1, MAX_PERIOD + 1))


def longest_repetition(ids: Sequence[int]) -> int:
    """Tokens of the longest stretch anywhere that one unit fills; else 0."""
    return max(_longest_of_period(ids, period) for period in range(1, MAX_PERIOD + 1))


def max_loop_tokens(source_ids: Sequence[int]) -> int:
    """The longest repeated tail that the translation of a source may have."""
    return TOLERATED_TOKENS + SOURCE_FACTOR * longest_repetition(source_ids)


def _tail_of_period(ids: Sequence[int], period: int) -> int:
    run = 0
    for earlier, later in zip(reversed(ids[:-period]), reversed(ids), strict=False):
        if earlier != later:
            break
        run += 1
    return _if_repeated(run + period, period)


def _longest_of_period(ids: Sequence[int], period: int) -> int:
    longest = run = 0
    for earlier, later in zip(ids, ids[period:], strict=False):
        run = run + 1 if earlier == later else 0
        longest = max(longest, run)
    return _if_repeated(longest + period, period)


def _if_repeated(length: int, period: int) -> int:
    return length if length >= MIN_REPEATS * period else 0
