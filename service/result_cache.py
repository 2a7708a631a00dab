"""Results that are kept: those that were asked for last, within a bound of bytes."""

import sys
from collections import OrderedDict

from service.engine.search.options import DecodeOptions, Hypothesis

Key = tuple[tuple[int, ...], DecodeOptions]
"""All that a result depends on within one bundle: source ids and how they are decoded."""

_Hypotheses = tuple[Hypothesis, ...]

_INTEGER_BYTES = 8 + sys.getsizeof(1 << 20)
_FLOAT_BYTES = 8 + sys.getsizeof(0.5)
"""A number and the pointer to it."""
_HYPOTHESIS_BYTES = sys.getsizeof(
    Hypothesis(target_ids=(), token_log_probs=(), finish_reason="stop", has_ended=True, score=0.5)
) + 2 * sys.getsizeof(())
_RESULT_BYTES = 800
"""What a result costs whatever its length: its options, its tuples, its place among the others."""


class ResultCache:
    """The least recently used goes first; not safe between threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._results: OrderedDict[Key, _Hypotheses] = OrderedDict()
        self.num_bytes = 0
        """Memory of all that is kept, estimated from its numbers."""

    def __len__(self) -> int:
        return len(self._results)

    def find(self, key: Key) -> _Hypotheses | None:
        """What was kept for `key`, which is thereby used."""
        found = self._results.get(key)
        if found is not None:
            self._results.move_to_end(key)
        return found

    def add(self, key: Key, hypotheses: _Hypotheses) -> None:
        """Keep a result, in place of the oldest ones; one over the bound is not kept."""
        size = size_of(key, hypotheses)
        if size > self._max_bytes:
            return
        self._remove(key)
        while self.num_bytes + size > self._max_bytes:
            self._remove(next(iter(self._results)))
        self._results[key] = hypotheses
        self.num_bytes += size

    def _remove(self, key: Key) -> None:
        if (hypotheses := self._results.pop(key, None)) is not None:
            self.num_bytes -= size_of(key, hypotheses)


def size_of(key: Key, hypotheses: _Hypotheses) -> int:
    """Bytes that a result takes with its key, rather too many than too few."""
    source_ids, options = key
    num_ids = len(source_ids) + len(options.prefix_ids) + sum(len(h.target_ids) for h in hypotheses)
    num_scores = sum(len(h.token_log_probs) for h in hypotheses)
    return (
        _RESULT_BYTES
        + _INTEGER_BYTES * num_ids
        + _FLOAT_BYTES * num_scores
        + _HYPOTHESIS_BYTES * len(hypotheses)
    )
