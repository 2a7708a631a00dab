"""Which sentence owns which row of the cache, and how rows move when hypotheses do."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.engine.cache.shortlist import ShortlistBlock
from service.engine.cache.slot_cache import CacheArray, SlotCache
from service.engine.search.greedy_and_beam import BeamSearch, GreedySearch, Survivors


@dataclass(slots=True, kw_only=True)
class Sentence:
    """A live sentence; `rows[i]` is the cache row of its i-th live hypothesis."""

    key: Hashable
    search: GreedySearch | BeamSearch
    num_slots: int
    rows: list[int] = field(default_factory=list)


class LiveRows:
    """Keeps the books; what moves is gathered, so that it is done all at once.

    Rows whose sentence has left are gaps until the next step, and whoever needs a row takes a gap
    first: where one sentence follows another, nothing moves.
    """

    def __init__(self, cache: SlotCache, input_ids: NDArray[np.int64], bos_id: int) -> None:
        """Share the cache and the decoder's next inputs, int64 [slots, 1], with the decoder."""
        self._cache = cache
        self._input_ids = input_ids
        self._bos_id = bos_id
        # Rows are only ever added at the end.
        self._owners: list[Sentence] = []
        self._gaps: list[int] = []
        self._copies: dict[int, int] = {}
        self._forks: dict[int, int] = {}

    @property
    def num_rows(self) -> int:
        """Rows that belong to a sentence."""
        return self._cache.num_live - len(self._gaps)

    def add(
        self,
        sentence: Sentence,
        cross: Sequence[CacheArray],
        source_length: int,
        block: ShortlistBlock | None,
    ) -> None:
        """Give a sentence that begins its first row; the rest is as in `SlotCache.add_row`."""
        row = self._take_row(sentence)
        self._cache.add_row(cross, source_length, block, row=row)
        sentence.rows = [row]
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
                row = self._fork(parent, sentence, childless)
            rows.append(row)
            self._input_ids[row] = token
        sentence.rows = rows
        self._gaps += childless

    def restart(self, sentence: Sentence) -> None:
        """Begin a sentence anew in one of its rows; its source stays encoded."""
        row, *others = sentence.rows
        sentence.rows = [row]
        self._gaps += others
        self._cache.positions[row] = 0
        self._input_ids[row] = self._bos_id

    def leave(self, sentence: Sentence) -> None:
        """End all rows of a sentence."""
        self._gaps += sentence.rows

    def copy_parents(self) -> None:
        """Copy what `follow` has asked for, at the end of a step: later rows may be taken over."""
        if self._copies:
            self._cache.copy_pasts(list(self._copies.values()), list(self._copies))
            self._copies.clear()
        if self._forks:
            self._cache.copy_rows(list(self._forks.values()), list(self._forks))
            self._forks.clear()

    def close_gaps(self) -> None:
        """Move rows; whoever owned a row that has moved now finds it in its new place."""
        if not self._gaps:
            return
        for origin, destination in self._cache.release_rows(self._gaps):
            owner = self._owners[origin]
            self._owners[destination] = owner
            owner.rows[owner.rows.index(origin)] = destination
            self._input_ids[destination] = self._input_ids[origin]
        del self._owners[self._cache.num_live :]
        self._gaps.clear()

    def clear(self) -> None:
        """End all rows."""
        self._cache.clear()
        for pending in (self._owners, self._gaps, self._copies, self._forks):
            pending.clear()

    def _take_row(self, sentence: Sentence) -> int:
        if self._gaps:
            row = self._gaps.pop()
            self._owners[row] = sentence
            return row
        self._owners.append(sentence)
        return self._cache.new_row()

    def _fork(self, parent: int, sentence: Sentence, childless: list[int]) -> int:
        """A row that is to continue from `parent`: one of `childless`, or one more."""
        if childless:
            row = childless.pop()
            self._copies[row] = parent
        else:
            row = self._take_row(sentence)
            self._forks[row] = parent
        return row
