"""The memory of a running batch: attention keys and values of every live row.

All buffers are allocated once and updated in place; rows `0 .. num_live - 1` are live, always a
prefix, so that the decoder graph can be bound to them by pointer and nothing is copied per step.
"""

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import Manifest

Float32 = NDArray[np.float32]


class SlotCache:
    """Mutable on purpose: it is the key/value cache of `num_slots` rows."""

    def __init__(self, manifest: Manifest, num_slots: int) -> None:
        shape = manifest.architecture
        self.num_slots = num_slots
        self.num_live = 0
        self.positions = np.zeros(num_slots, dtype=np.int32)
        """Tokens cached in each row, int32 [slots]."""
        self.source_lengths = np.zeros(num_slots, dtype=np.int32)
        """Source tokens of each row, int32 [slots]."""
        self.past = [
            np.zeros(
                (num_slots, shape.num_heads, manifest.max_target_tokens, shape.head_dim),
                dtype=np.float32,
            )
            for _ in range(2 * shape.num_decoder_layers)
        ]
        """Self-attention, key and value of layer 0, of layer 1, ...,
        float32 [slots, heads, max_target, head_dim]."""
        self.cross = [
            np.zeros(
                (num_slots, shape.num_heads, manifest.max_source_tokens, shape.head_dim),
                dtype=np.float32,
            )
            for _ in range(2 * shape.num_decoder_layers)
        ]
        """Cross-attention in the same order, float32 [slots, heads, max_source, head_dim]."""

    def add_row(self, cross: list[Float32], source_length: int) -> int:
        """Make a row live for a sentence that begins.

        Args:
            cross: Encoder output of this sentence in the order of `self.cross`,
                float32 [heads, source, head_dim] each, padding allowed.
            source_length: Tokens of the source without padding.

        Returns:
            The row.
        """
        row = self._new_row()
        self.positions[row] = 0
        self.source_lengths[row] = source_length
        for buffer, values in zip(self.cross, cross, strict=True):
            buffer[row, :, :source_length] = values[:, :source_length]
        return row

    def fork_row(self, parent: int) -> int:
        """Make a row live that continues as a copy of `parent`."""
        row = self._new_row()
        self._copy(parent, row)
        return row

    def copy_past(self, parent: int, row: int) -> None:
        """Let `row` continue from `parent`'s tokens; both belong to the same sentence."""
        length = self.positions[parent]
        self.positions[row] = length
        for buffer in self.past:
            buffer[row, :, :length] = buffer[parent, :, :length]

    def release_row(self, row: int) -> int:
        """End a row; the last live row moves into its place.

        Returns:
            The row that moved, which is `row` itself if it was the last.
        """
        self.num_live -= 1
        last = self.num_live
        if last != row:
            self._copy(last, row)
        return last

    def clear(self) -> None:
        """End all rows."""
        self.num_live = 0

    def _new_row(self) -> int:
        assert self.num_live < self.num_slots, "admission must have reserved the slot"
        self.num_live += 1
        return self.num_live - 1

    def _copy(self, origin: int, row: int) -> None:
        self.copy_past(origin, row)
        length = self.source_lengths[origin]
        self.source_lengths[row] = length
        for buffer in self.cross:
            buffer[row, :, :length] = buffer[origin, :, :length]
