"""The key/value cache of a batch, one slot a row.

All buffers are allocated once and updated in place. The live rows are always the prefix
`0 .. num_live - 1`, so the decoder graph is bound to them by pointer and no step copies them.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import Manifest
from service.engine.cache.shortlist import ShortlistBlock, ShortlistSlots

CacheArray = NDArray[np.float32] | NDArray[np.int8]


class SlotCache:
    """Keys and values of `num_slots` rows, each with its own source; mutable on purpose."""

    def __init__(
        self, manifest: Manifest, num_slots: int, *, num_sources: int | None = None
    ) -> None:
        """Allocate all buffers.

        Args:
            manifest: Of the bundle.
            num_slots: Most rows.
            num_sources: Most sources, where rows share them; such rows have no shortlists.
        """
        self.num_slots = num_slots
        has_shortlist = manifest.shortlist is not None and num_sources is None
        self.shortlist = ShortlistSlots(manifest, num_slots) if has_shortlist else None
        """Shortlist of each row, where the bundle has shortlists."""
        num_sources = num_slots if num_sources is None else num_sources
        self.num_live = 0
        self.positions = np.zeros(num_slots, dtype=np.int32)
        """Tokens cached in each row, int32 [slots]."""
        self.source_lengths = np.zeros(num_sources, dtype=np.int32)
        """Tokens of each source, int32 [sources]."""
        self._all_past = _buffers(manifest, num_slots, manifest.max_target_tokens)
        self._all_cross = _buffers(manifest, num_sources, manifest.max_source_tokens)
        self.past: list[CacheArray] = list(self._all_past)
        """Self-attention, key and value of layer 0, of layer 1, ...,
        [slots, heads, max_target, head_dim], float32 or int8 as the manifest says."""
        self.cross: list[CacheArray] = list(self._all_cross)
        """Cross-attention in the same order, [sources, heads, max_source, head_dim]."""

    @property
    def num_sources(self) -> int:
        """Sources of the live rows: a prefix of the buffers, as the rows are."""
        return self.num_live

    def add_row(
        self,
        cross: Sequence[CacheArray],
        source_length: int,
        block: ShortlistBlock | None = None,
        *,
        row: int | None = None,
    ) -> int:
        """Start a sentence in a row.

        Args:
            cross: Encoder output of this sentence in the order of `self.cross`,
                [heads, source, head_dim] each, padding allowed.
            source_length: Tokens of the source without padding.
            block: The sentence's shortlist; None: it uses the whole vocabulary.
            row: A live row that is no longer read; None: a new row becomes live.

        Returns:
            The row.
        """
        row = self.new_row() if row is None else row
        if self.shortlist is not None:
            self.shortlist.put(row, block)
        self.positions[row] = 0
        source = self._source_for(row)
        self.source_lengths[source] = source_length
        for buffer, values in zip(self.cross, cross, strict=True):
            buffer[source, :, :source_length] = values[:, :source_length]
        return row

    def new_row(self) -> int:
        """Make one more row live; its content is stale."""
        assert self.num_live < self.num_slots, "admission must have reserved the slot"
        self.num_live += 1
        return self.num_live - 1

    def copy_rows(self, origin: list[int], destination: list[int]) -> None:
        """Copy rows with their sources; arguments as for `copy_pasts`, of any sentences."""
        self.copy_pasts(origin, destination)
        if self.shortlist is not None:
            self.shortlist.copy(origin, destination)
        self._copy_sources(origin, destination)

    def copy_pasts(self, origin: list[int], destination: list[int]) -> None:
        """Copy the cached tokens of rows to rows of the same sentences.

        Args:
            origin: Rows to copy.
            destination: The copy of each of them; no row is both.
        """
        # Converted once: every use as an index would convert a list again.
        origins, destinations = np.array(origin), np.array(destination)
        positions = self.positions.take(origins)
        self.positions[destinations] = positions
        past, length = self._all_past, positions.max()
        past[:, destinations, :, :length] = past[:, origins, :, :length]

    def forget(self, rows: Iterable[int]) -> None:
        """Rows are no longer read; each is taken over by another, or released with a later call."""

    def release_rows(self, rows: Iterable[int]) -> list[tuple[int, int]]:
        """Release rows; live rows from the end of the prefix move into the gaps.

        Returns:
            Origin and destination of each row that moved.
        """
        released = set(rows)
        num_left = self.num_live - len(released)
        gaps = sorted(row for row in released if row < num_left)
        movers = [row for row in range(num_left, self.num_live) if row not in released]
        if movers:
            self._move_rows(movers, gaps)
        self.num_live = num_left
        return list(zip(movers, gaps, strict=True))

    def clear(self) -> None:
        """Release all rows."""
        self.num_live = 0

    def _source_for(self, row: int) -> int:
        """Where the source of a new sentence goes that begins in a row."""
        return row

    def _move_rows(self, origin: list[int], destination: list[int]) -> None:
        self.copy_rows(origin, destination)

    def _copy_sources(self, origin: list[int], destination: list[int]) -> None:
        self.source_lengths[destination] = self.source_lengths[origin]
        length = self.source_lengths[origin].max()
        cross = self._all_cross
        cross[:, destination, :, :length] = cross[:, origin, :, :length]


def _buffers(manifest: Manifest, num_slots: int, length: int) -> CacheArray:
    """A key and a value buffer for every decoder layer, in one array so that rows copy at once.

    Returns:
        [2 x layers, slots, heads, length, head_dim], of the manifest's dtype.
    """
    shape = manifest.architecture
    axes = (2 * shape.num_decoder_layers, num_slots, shape.num_heads, length, shape.head_dim)
    return np.zeros(axes, dtype=manifest.cache)
