"""The cache of beams: one source for all hypotheses of a sentence, and which row reads which."""

from collections.abc import Iterable

import numpy as np

from bundle.manifest import Manifest
from bundle.tensors import NUM_PLACES
from service.engine.cache.slot_cache import SlotCache

_EMPTY = -1
"""In place of a row, where no hypothesis has the place."""


class BeamCache(SlotCache):
    """Rows of sentences with 2 to `NUM_PLACES` hypotheses.

    A row has a place at the source of its sentence for as long as it lives, wherever it moves. The
    sources in use are a prefix of the buffers, like the rows.
    """

    def __init__(self, manifest: Manifest, num_slots: int) -> None:
        """Allocate all buffers; a sentence reserves at least two slots."""
        num_sources = max(num_slots // 2, 1)
        super().__init__(manifest, num_slots, num_sources=num_sources)
        heads = manifest.architecture.num_heads
        self._num_sources = 0
        self._heads = np.arange(heads)
        self._rows_at = [[_EMPTY] * NUM_PLACES for _ in range(num_sources)]
        """Row at each place of each source."""
        self._place_of: dict[int, tuple[int, int]] = {}
        """Source and place of each row."""
        self._gaps: list[int] = []
        """Sources that no row reads."""
        self.place_heads = np.zeros((num_sources, heads, NUM_PLACES), dtype=np.int64)
        """Query heads in the order of the places, int64 [sources, heads, places]; see
        `bundle.tensors.beams_spec`."""
        self.row_heads = np.zeros((num_slots, heads), dtype=np.int64)
        """The way back, int64 [slots, heads]."""

    @property
    def num_sources(self) -> int:
        """Sources of the live rows."""
        return self._num_sources

    def forget(self, rows: Iterable[int]) -> None:
        """Free the places of rows, and the sources that are no longer read."""
        for row in rows:
            source, place = self._place_of.pop(row)
            self._empty(source, place)
            if self._rows_at[source].count(_EMPTY) == NUM_PLACES:
                self._gaps.append(source)

    def release_rows(self, rows: Iterable[int]) -> list[tuple[int, int]]:
        """See `SlotCache.release_rows`; rows that are not forgotten yet are forgotten."""
        released = set(rows)
        self.forget(row for row in released if row in self._place_of)
        moves = super().release_rows(released)
        self._close_gaps()
        return moves

    def clear(self) -> None:
        """Release all rows."""
        super().clear()
        self.forget(list(self._place_of))
        self._gaps.clear()
        self._num_sources = 0

    def _source_for(self, row: int) -> int:
        if not self._gaps:
            self._gaps.append(self._num_sources)
            self._num_sources += 1
        source = self._gaps.pop()
        self._put(row, source, 0)
        return source

    def _copy_sources(self, origin: list[int], destination: list[int]) -> None:
        """Give new rows places at the sources of others."""
        for parent, row in zip(origin, destination, strict=True):
            source, _ = self._place_of[parent]
            self._put(row, source, self._rows_at[source].index(_EMPTY))

    def _move_rows(self, origin: list[int], destination: list[int]) -> None:
        self.copy_pasts(origin, destination)
        for old, new in zip(origin, destination, strict=True):
            self._put(new, *self._place_of.pop(old))

    def _put(self, row: int, source: int, place: int) -> None:
        self._rows_at[source][place] = row
        self._place_of[row] = (source, place)
        heads = self._heads
        self.place_heads[source, :, place] = row * len(heads) + heads
        self.row_heads[row] = (source * len(heads) + heads) * NUM_PLACES + place

    def _empty(self, source: int, place: int) -> None:
        self._rows_at[source][place] = _EMPTY
        self.place_heads[source, :, place] = self._heads  # of row 0: any live row will do

    def _close_gaps(self) -> None:
        """Move sources from the end into gaps."""
        while self._gaps:
            self._num_sources -= 1
            last = self._num_sources
            if last in self._gaps:
                self._gaps.remove(last)
            else:
                self._move_source(last, self._gaps.pop())

    def _move_source(self, origin: int, destination: int) -> None:
        super()._copy_sources([origin], [destination])
        for place, row in enumerate(self._rows_at[origin]):
            if row != _EMPTY:
                self._put(row, destination, place)
                self._empty(origin, place)
