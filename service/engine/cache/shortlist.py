"""Shortlists: the target pieces among which a sentence is decoded, where its bundle has them.

A shortlist depends on the source of its own sentence and on nothing else in the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import Manifest
from bundle.shortlist import ShortlistTable

NO_PIECE = -1
"""Padding of a sentence's own pieces, which the shortlist graph masks."""


class Shortlist:
    """The shortlist table of a bundle, laid out for reading; safe to share between threads."""

    def __init__(self, table: ShortlistTable, num_own: int, *, is_ranked: bool = True) -> None:
        """Lay out a table; a sentence has at most `num_own` pieces beside the common ones.

        Args:
            table: Of the bundle.
            num_own: See above.
            is_ranked: The likeliest come first, so that the others can be left out.
        """
        lengths = np.diff(table.offsets)
        self.common = table.common.astype(np.int64)
        """Pieces of every shortlist, ascending, int64 [num_common]."""
        self._num_own = num_own
        self._is_ranked = is_ranked
        self._num_targets = 1 + int(table.targets.max(initial=0))
        # Column r holds the target pieces of rank r, so that ranks can be read across rows.
        self._ranked = np.full(
            (len(lengths), int(lengths.max(initial=0))), NO_PIECE, dtype=np.int32
        )
        ranks = np.arange(len(table.targets)) - np.repeat(table.offsets[:-1], lengths)
        self._ranked[np.repeat(np.arange(len(lengths)), lengths), ranks] = table.targets

    def own_ids(self, source_ids: Sequence[int]) -> NDArray[np.int64]:
        """The likeliest target pieces of a sentence, beside the common ones.

        First the best of every source piece, then the second best, up to `num_own`.

        Args:
            source_ids: Source ids of one sentence, end token included.

        Returns:
            Target ids, int64 [num_own], padded with `NO_PIECE`.
        """
        return self._padded(self._wanted_ids(source_ids))

    def own_ids_if_listed(self, source_ids: Sequence[int]) -> NDArray[np.int64] | None:
        """`own_ids`; None where there are more, and no order says which to leave out."""
        wanted = self._wanted_ids(source_ids)
        has_room = self._is_ranked or len(wanted) <= self._num_own
        return self._padded(wanted) if has_room else None

    def _wanted_ids(self, source_ids: Sequence[int]) -> NDArray[np.int64]:
        """All target pieces that the source suggests, int64 [any]."""
        by_rank = self._ranked.take(sorted(set(source_ids)), axis=0).T.ravel()
        by_rank = by_rank[by_rank != NO_PIECE]
        positions = np.arange(len(by_rank))
        first_positions = np.empty(self._num_targets, dtype=np.int64)
        # Of several writes to one element the last one stays: that of the first position.
        first_positions[by_rank[::-1]] = positions[::-1]
        wanted: NDArray[np.int64] = by_rank[first_positions[by_rank] == positions].astype(np.int64)
        return wanted

    def _padded(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        chosen = wanted[: self._num_own]
        own = np.full(self._num_own, NO_PIECE, dtype=np.int64)
        own[: len(chosen)] = chosen
        return own


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortlistBlock:
    """The part of the output projection that a sentence needs."""

    common_ids: NDArray[np.int64]
    """Pieces of every shortlist, shared by all blocks, int64 [num_common]."""
    own_ids: NDArray[np.int64]
    """The sentence's own pieces, int64 [num_own]; where it has fewer, a common piece again."""
    weights: NDArray[np.int8]
    """[d_model, num_own]."""
    scales: NDArray[np.float32]
    """[num_own]."""
    biases: NDArray[np.float32]
    """[num_own]."""

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids of shortlist logits: common pieces, then its own, int64 [num_pieces]."""
        return np.concatenate([self.common_ids, self.own_ids])


class ShortlistSlots:
    """The shortlist blocks of every row of a batch, in buffers that keep their addresses."""

    def __init__(self, manifest: Manifest, num_slots: int) -> None:
        assert manifest.shortlist is not None
        num_own, d_model = manifest.shortlist.num_own, manifest.architecture.d_model
        self.weights = np.zeros((num_slots, d_model, num_own), dtype=np.int8)
        self.scales = np.zeros((num_slots, num_own), dtype=np.float32)
        self.biases = np.zeros((num_slots, num_own), dtype=np.float32)
        self.ids = np.zeros((num_slots, manifest.shortlist.num_pieces), dtype=np.int64)
        """Ids of shortlist logits, common pieces first, int64 [slots, num_pieces]."""
        self._num_common = manifest.shortlist.num_common
        self._row_starts = np.arange(num_slots)[:, None] * manifest.architecture.vocab_size
        self.is_used = np.zeros(num_slots, dtype=bool)
        """False for rows that use the whole vocabulary, bool [slots]."""

    def put(self, row: int, block: ShortlistBlock | None) -> None:
        """Set the block of a row; None: the row uses the whole vocabulary."""
        self.is_used[row] = block is not None
        if block is not None:
            self.weights[row] = block.weights
            self.scales[row] = block.scales
            self.biases[row] = block.biases
            self.ids[row, : self._num_common] = block.common_ids
            self.ids[row, self._num_common :] = block.own_ids

    def copy(self, origin: list[int], destination: list[int]) -> None:
        """Copy the blocks of rows to others."""
        is_used = self.is_used[origin]
        self.is_used[destination] = is_used
        if is_used.any():
            for buffer in (self.weights, self.scales, self.biases, self.ids):
                buffer[destination] = buffer[origin]

    def choose(self, logits: NDArray[np.float32], best: NDArray[np.int64]) -> NDArray[np.int64]:
        """The best token of every row within its shortlist.

        Args:
            logits: Of the whole vocabulary, float32 [rows, vocab].
            best: Token of the best logit of each row, int64 [rows].

        Returns:
            Token ids, int64 [rows].
        """
        (rows,) = np.nonzero(self.is_used[: len(best)])
        ids = self.ids.take(rows, axis=0)
        short = logits.take(ids + self._row_starts.take(rows, axis=0))  # of the flattened logits
        chosen = best.copy()
        chosen[rows] = ids[np.arange(len(rows)), short.argmax(axis=1)]
        return chosen

    def best_but(self, token: int, row: int, logits: NDArray[np.float32]) -> int:
        """The best token other than `token` of a row with a shortlist.

        Args:
            token: The excluded token.
            row: Row of the batch.
            logits: Logits of the row, float32 [vocab] or [num_pieces].
        """
        ids = self.ids[row]
        scores = logits if len(logits) == len(ids) else logits[ids]
        return int(ids[np.where(ids == token, -np.inf, scores).argmax()])
