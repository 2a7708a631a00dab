"""Ownership of cache rows by sentences, and the moves that follow the hypotheses."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.engine.cache.shortlist import ShortlistBlock
from service.engine.cache.slot_cache import CacheArray, SlotCache
from service.engine.search.outcome import Survivors
from service.engine.search.strategy import Search


@dataclass(slots=True, kw_only=True)
class Sentence:
    """A live sentence; `rows[i]` is the cache row of its i-th live hypothesis."""

    handle: Hashable
    search: Search
    num_slots: int
    rows: list[int] = field(default_factory=list)


class LiveRows:
    """Assigns cache rows to hypotheses, and collects copies so that a step does them at once.

    Rows of sentences that left are gaps until the next step, and new rows fill gaps first: where
    one sentence follows another, no row moves.
    """

    def __init__(self, cache: SlotCache, input_ids: NDArray[np.int64], bos_id: int) -> None:
        """Share the cache and the decoder's next inputs, int64 [slots, 1], with the decoder."""
        self._cache = cache
        self._input_ids = input_ids
        self._bos_id = bos_id
        # Owner of each row; rows are added at the end only.
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
        """Give a new sentence its first row; arguments as for `SlotCache.add_row`."""
        row = self._take_row(sentence)
        self._cache.add_row(cross, source_length, block, row=row)
        sentence.rows = [row]
        self._input_ids[row] = self._bos_id

    def follow(self, sentence: Sentence, survivors: Survivors) -> None:
        """Give every survivor a row with its parent's cache, with few copies.

        A parent's first child stays in its row. Other children take rows of parents without
        children, which are no longer read, or new rows while the beam still widens.
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
        """Restart a sentence in one of its rows; its encoded source stays."""
        row, *others = sentence.rows
        sentence.rows = [row]
        self._gaps += others
        self._cache.positions[row] = 0
        self._input_ids[row] = self._bos_id

    def leave(self, sentence: Sentence) -> None:
        """Release all rows of a sentence."""
        self._gaps += sentence.rows

    def copy_parents(self) -> None:
        """Copy rows as `follow` decided; at the end of a step, once no row is reused any more."""
        if self._copies:
            self._cache.copy_pasts(list(self._copies.values()), list(self._copies))
            self._copies.clear()
        if self._forks:
            self._cache.copy_rows(list(self._forks.values()), list(self._forks))
            self._forks.clear()

    def close_gaps(self) -> None:
        """Move rows into released ones, and update the sentences that own them."""
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
        """Release all rows."""
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
        """A row that will be a copy of `parent`: one of `childless`, or a new one."""
        if childless:
            row = childless.pop()
            self._copies[row] = parent
        else:
            row = self._take_row(sentence)
            self._forks[row] = parent
        return row
