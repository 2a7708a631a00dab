"""Logits processors: rules that mask tokens of one hypothesis; pure NumPy."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.engine.search.options import DecodeOptions

MASKED = -1e9
"""Score of a masked token: below every other, but finite, so that no NaN arises."""


class LogitsProcessor(Protocol):
    """A rule for the next token of a hypothesis."""

    def is_active(self, length: int) -> bool:
        """Whether the rule masks any token after `length` tokens."""

    def process(self, scores: NDArray[np.float32], target_ids: Sequence[int]) -> None:
        """Set the scores of tokens that may not follow to `MASKED`, in place, float32 [vocab]."""


class ForcedPrefix:
    """The output starts with given tokens."""

    def __init__(self, prefix_ids: tuple[int, ...]) -> None:
        self._prefix_ids = prefix_ids

    def is_active(self, length: int) -> bool:
        """See `LogitsProcessor`."""
        return length < len(self._prefix_ids)

    def process(self, scores: NDArray[np.float32], target_ids: Sequence[int]) -> None:
        """See `LogitsProcessor`."""
        token = self._prefix_ids[len(target_ids)]
        score = scores[token]
        scores[:] = MASKED
        scores[token] = score


class NoRepeatNgram:
    """No n-gram occurs twice."""

    def __init__(self, size: int) -> None:
        self._size = size

    def is_active(self, length: int) -> bool:
        """See `LogitsProcessor`."""
        return length >= self._size

    def process(self, scores: NDArray[np.float32], target_ids: Sequence[int]) -> None:
        """See `LogitsProcessor`."""
        ids, context = tuple(target_ids), self._size - 1
        last = ids[len(ids) - context :]
        for start in range(len(ids) - context):
            if ids[start : start + context] == last:
                scores[ids[start + context]] = MASKED


def logits_processors(options: DecodeOptions) -> tuple[LogitsProcessor, ...]:
    """The rules that `options` ask for.

    A minimum length is not one of them: the searches skip an end that comes too early, which costs
    nothing where none does.
    """
    rules: list[LogitsProcessor] = []
    if options.prefix_ids:
        rules.append(ForcedPrefix(options.prefix_ids))
    if options.no_repeat_ngram:
        rules.append(NoRepeatNgram(options.no_repeat_ngram))
    return tuple(rules)


def is_any_active(rules: Sequence[LogitsProcessor], length: int) -> bool:
    """Whether any rule masks a token after `length` tokens."""
    return any(rule.is_active(length) for rule in rules)


def process_all(
    rules: Sequence[LogitsProcessor], scores: NDArray[np.float32], target_ids: Sequence[int]
) -> None:
    """Apply the active rules in order, in place, float32 [vocab]."""
    for rule in rules:
        if rule.is_active(len(target_ids)):
            rule.process(scores, target_ids)
            if isinstance(rule, ForcedPrefix):
                return  # a forced token takes precedence over every other rule
