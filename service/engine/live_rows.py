"""Which sentence owns which row of the cache, and how rows move when hypotheses do."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.engine.search import BeamSearch, GreedySearch, Survivors
from service.engine.shortlist import ShortlistBlock
from service.engine.slot_cache import CacheArray, SlotCache


@dataclass(slots=True, kw_only=True)
class Sentence:
    """A live sentence; `rows[i]` is the cache row of its i-th live hypothesis."""

    key: Hashable
    search: GreedySearch | BeamSearch
    num_slots: int
    rows: list[int] = field(default_factory=list)


class LiveRows:
    """Keeps the books; what moves in a step is gathered, and done all at once by `settle`."""

    def __init__(self, cache: SlotCache, input_ids: NDArray[np.int64], bos_id: int) -> None:
        """Share the cache and the decoder's next inputs, int64 [slots, 1], with the decoder."""
        self._cache = cache
        self._input_ids = input_ids
        self._bos_id = bos_id
        # Rows are only ever added at the end.
        self._owners: list[Sentence] = []
        self._origin: list[int] = []
        self._destination: list[int] = []
        self._released: list[int] = []

    def add(
        self,
        sentence: Sentence,
        cross: Sequence[CacheArray],
        source_length: int,
        block: ShortlistBlock | None,
    ) -> None:
        """Give a sentence that begins its first row; the rest is as in `SlotCache.add_row`."""
        row = self._cache.add_row(cross, source_length, block)
        sentence.rows = [row]
        self._owners.append(sentence)
        self._input_ids[row] = self._bos_id

    def follow(self, sentence: Sentence, survivors: Survivors) -> None:
        """Give every survivor a row that is to hold its parent's cache, copying little.

        A parent's first child stays in its row; other children go to rows of parents without
        children, which nobody reads any more, or to new rows while the beam still widens.
        """
        parents = [sentence.rows[place] for place in survivors.parents]
        childless = [row for row in sentence.rows if row not in parents]
        rows: list[int] = []
        for parent, token in zip(parents, survivors.tokens, strict=True):
            row = parent
            if parent in rows:
                row = childless.pop() if childless else self._fork(parent, sentence)
                self._origin.append(parent)
                self._destination.append(row)
            rows.append(row)
            self._input_ids[row] = token
        sentence.rows = rows
        self._released += childless

    def restart(self, sentence: Sentence) -> None:
        """Begin a sentence anew in one of its rows; its source stays encoded."""
        row, *others = sentence.rows
        sentence.rows = [row]
        self._released += others
        self._cache.positions[row] = 0
        self._input_ids[row] = self._bos_id

    def leave(self, sentence: Sentence) -> None:
        """End all rows of a sentence."""
        self._released += sentence.rows

    def settle(self) -> None:
        """Copy and release what has been asked for since the last time."""
        if self._origin:
            self._cache.copy_pasts(self._origin, self._destination)
            self._origin, self._destination = [], []
        if self._released:
            self._release(self._released)
            self._released = []

    def clear(self) -> None:
        """End all rows."""
        self._cache.clear()
        for pending in (self._owners, self._origin, self._destination, self._released):
            pending.clear()

    def _fork(self, parent: int, sentence: Sentence) -> int:
        self._owners.append(sentence)
        return self._cache.fork_row(parent)

    def _release(self, rows: list[int]) -> None:
        """End rows; whoever owned a row that has moved now finds it in its new place."""
        for origin, destination in self._cache.release_rows(rows):
            owner = self._owners[origin]
            self._owners[destination] = owner
            owner.rows[owner.rows.index(origin)] = destination
            self._input_ids[destination] = self._input_ids[origin]
        del self._owners[self._cache.num_live :]
