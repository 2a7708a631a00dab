"""The sentences of a search: what they ask for, and arrays with one element for each of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.search.logits_processors import (
    LogitsProcessor,
    is_any_active,
    logits_processors,
)
from service.engine.search.options import DecodeOptions
from service.engine.search.outcome import next_check

Arrays = tuple[NDArray[np.generic], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a sentence asks of its search."""

    options: DecodeOptions
    rules: tuple[LogitsProcessor, ...]
    is_retry: bool
    """Whether this is the second attempt after a loop."""


class Sentences:
    """Sentence `i` is element `i` of `asked` and of every array; there are no gaps.

    Where a sentence leaves, the last one takes its place.
    """

    def __init__(self, num_sentences: int, arrays: Arrays) -> None:
        """Allocate the arrays that all searches need.

        Args:
            num_sentences: Most sentences at a time.
            arrays: The arrays of the search, [sentences, ...].
        """
        self.asked: list[Asked] = []
        self.lengths = np.zeros(num_sentences, dtype=np.int64)
        """Tokens so far, the end token included, int64 [sentences]."""
        self.next_checks = np.zeros(num_sentences, dtype=np.int64)
        """Length at which the sentence must be looked at, int64 [sentences]."""
        self._num_ruled = 0
        self._arrays: Arrays = (self.lengths, self.next_checks, *arrays)

    def add(self, options: DecodeOptions) -> int:
        """Append a sentence; its index. The search sets its own arrays."""
        index = len(self.asked)
        self.asked.append(_asked(options, is_retry=False))
        self._begin(index)
        return index

    def restart(self, index: int, options: DecodeOptions) -> None:
        """Begin a sentence again, with other options."""
        self._num_ruled -= bool(self.asked[index].rules)
        self.asked[index] = _asked(options, is_retry=True)
        self._begin(index)

    def remove(self, index: int) -> None:
        """Remove a sentence; the last one takes its index."""
        self._num_ruled -= bool(self.asked[index].rules)
        last = len(self.asked) - 1
        if index < last:
            self.asked[index] = self.asked[last]
            for array in self._arrays:
                array[index] = array[last]
        self.asked.pop()

    def clear(self) -> None:
        """Remove all sentences."""
        self.asked.clear()
        self._num_ruled = 0

    def restricted(self) -> list[int]:
        """Sentences whose rules mask tokens of the coming step."""
        if not self._num_ruled:
            return []
        return [
            index
            for index, asked in enumerate(self.asked)
            if is_any_active(asked.rules, int(self.lengths[index]))
        ]

    def _begin(self, index: int) -> None:
        asked = self.asked[index]
        self.lengths[index] = 0
        self.next_checks[index] = next_check(0, asked.options)
        self._num_ruled += bool(asked.rules)


def _asked(options: DecodeOptions, *, is_retry: bool) -> Asked:
    return Asked(options=options, rules=logits_processors(options), is_retry=is_retry)
