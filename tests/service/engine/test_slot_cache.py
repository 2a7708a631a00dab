from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from numpy.typing import NDArray

from service.engine.slot_cache import SlotCache
from tests.service.engine.tiny import tiny

NUM_SLOTS = 5
CAPACITY = 4
MANIFEST = tiny().manifest.model_copy(
    update={"max_source_tokens": CAPACITY, "max_target_tokens": CAPACITY}
)
Tokens = list[NDArray[np.float32]]
"""What one token left in every buffer, float32 [heads, head_dim] each."""

sentence_lengths = st.integers(1, CAPACITY)
choices = st.integers(0, NUM_SLOTS - 1)


@dataclass(slots=True, kw_only=True)
class Row:
    """What a row must hold."""

    sentence: int
    cross: list[NDArray[np.float32]]
    past: list[Tokens] = field(default_factory=list)

    def copy(self) -> "Row":
        return Row(sentence=self.sentence, cross=self.cross, past=list(self.past))


class SlotCacheMachine(RuleBasedStateMachine):
    """The cache beside a plain list of what every row holds."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = SlotCache(MANIFEST, NUM_SLOTS)
        for buffer in (*self.cache.past, *self.cache.cross):
            buffer.fill(np.nan)  # whatever was there before is nobody's business
        self.addresses = self.addresses_now()
        self.rows: list[Row] = []
        self.random = np.random.default_rng(0)
        self.num_sentences = 0

    def addresses_now(self) -> list[int]:
        cache = self.cache
        buffers = [*cache.past, *cache.cross, cache.positions, cache.source_lengths]
        return [buffer.ctypes.data for buffer in buffers]

    def values(self, *axes: int) -> list[NDArray[np.float32]]:
        architecture = MANIFEST.architecture
        shape = (architecture.num_heads, *axes, architecture.head_dim)
        return [self.random.standard_normal(shape, dtype=np.float32) for _ in self.cache.past]

    @precondition(lambda self: len(self.rows) < NUM_SLOTS)
    @rule(length=sentence_lengths, padding=st.integers(0, 3))
    def add(self, length: int, padding: int) -> None:
        padded = self.values(length + padding)
        assert self.cache.add_row(padded, length) == len(self.rows)
        cross = [values[:, :length] for values in padded]
        self.rows.append(Row(sentence=self.num_sentences, cross=cross))
        self.num_sentences += 1

    @precondition(lambda self: 0 < len(self.rows) < NUM_SLOTS)
    @rule(choice=choices)
    def fork(self, choice: int) -> None:
        parent = choice % len(self.rows)
        assert self.cache.fork_row(parent) == len(self.rows)
        self.rows.append(self.rows[parent].copy())

    @precondition(lambda self: any(len(row.past) < CAPACITY for row in self.rows))
    @rule()
    def step(self) -> None:
        """What the decoder graph does: a token for every row, here where there is room."""
        for i, row in enumerate(self.rows):
            if len(row.past) < CAPACITY:
                token = self.values()
                for buffer, values in zip(self.cache.past, token, strict=True):
                    buffer[i, :, self.cache.positions[i]] = values
                self.cache.positions[i] += 1
                row.past.append(token)

    @precondition(lambda self: self.rows)
    @rule(parent=choices, child=choices)
    def copy_past(self, parent: int, child: int) -> None:
        parent, child = parent % len(self.rows), child % len(self.rows)
        if self.rows[parent].sentence == self.rows[child].sentence:
            self.cache.copy_past(parent, child)
            self.rows[child].past = list(self.rows[parent].past)

    @precondition(lambda self: self.rows)
    @rule(choice=choices)
    def release(self, choice: int) -> None:
        row = choice % len(self.rows)
        assert self.cache.release_row(row) == len(self.rows) - 1
        last = self.rows.pop()
        if row < len(self.rows):
            self.rows[row] = last

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        self.rows.clear()

    @invariant()
    def every_row_holds_what_it_must(self) -> None:
        assert self.cache.num_live == len(self.rows)
        for i, row in enumerate(self.rows):
            self.check(i, row)

    def check(self, i: int, row: Row) -> None:
        length = self.cache.source_lengths[i]
        assert self.cache.positions[i] == len(row.past)
        for buffer, cross in zip(self.cache.cross, row.cross, strict=True):
            np.testing.assert_array_equal(buffer[i, :, :length], cross)
        for position, token in enumerate(row.past):
            for buffer, values in zip(self.cache.past, token, strict=True):
                np.testing.assert_array_equal(buffer[i, :, position], values)

    @invariant()
    def nothing_has_moved_in_memory(self) -> None:
        assert self.addresses_now() == self.addresses


TestSlotCache = SlotCacheMachine.TestCase
TestSlotCache.settings = settings(max_examples=60, stateful_step_count=25)


def test_a_row_beyond_the_slots_is_a_broken_invariant() -> None:
    cache = SlotCache(MANIFEST, 1)
    cross = [buffer[0] for buffer in cache.cross]
    cache.add_row(cross, CAPACITY)
    with pytest.raises(AssertionError, match="reserved"):
        cache.add_row(cross, CAPACITY)
