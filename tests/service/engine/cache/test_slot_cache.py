from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bundle.manifest import CacheDtype, Manifest
from service.engine.cache.slot_cache import CacheArray, SlotCache
from tests.service.engine.tiny import tiny

NUM_SLOTS = 5
CAPACITY = 4
DTYPES: tuple[CacheDtype, ...] = ("float32", "int8")
Tokens = list[CacheArray]
"""What one token left in every buffer, [heads, head_dim] each."""

sentence_lengths = st.integers(1, CAPACITY)
choices = st.integers(0, NUM_SLOTS - 1)


@dataclass(slots=True, kw_only=True)
class Row:
    """What a row must hold."""

    sentence: int
    cross: list[CacheArray]
    past: list[Tokens] = field(default_factory=list)

    def copy(self) -> "Row":
        return Row(sentence=self.sentence, cross=self.cross, past=list(self.past))


def manifest_of(cache: CacheDtype) -> Manifest:
    limits = {"max_source_tokens": CAPACITY, "max_target_tokens": CAPACITY}
    return tiny().manifest.model_copy(update={**limits, "cache": cache})


class SlotCacheMachine(RuleBasedStateMachine):
    """The cache beside a plain list of what every row holds."""

    dtype: CacheDtype

    def __init__(self) -> None:
        super().__init__()
        self.cache = SlotCache(manifest_of(self.dtype), NUM_SLOTS)
        for buffer in (*self.cache.past, *self.cache.cross):
            buffer.fill(99)  # stale content must not matter
        self.addresses = self.addresses_now()
        self.rows: list[Row] = []
        self.random = np.random.default_rng(0)
        self.num_sentences = 0

    def addresses_now(self) -> list[int]:
        cache = self.cache
        buffers = [*cache.past, *cache.cross, cache.positions, cache.source_lengths]
        return [buffer.ctypes.data for buffer in buffers]

    def values(self, *axes: int) -> list[CacheArray]:
        architecture = tiny().manifest.architecture
        shape = (architecture.num_heads, *axes, architecture.head_dim)
        # Integers survive in either dtype.
        numbers = [self.random.integers(-128, 128, shape) for _ in self.cache.past]
        return [values.astype(self.dtype) for values in numbers]

    @precondition(lambda self: len(self.rows) < NUM_SLOTS)
    @rule(length=sentence_lengths, padding=st.integers(0, 3))
    def add(self, length: int, padding: int) -> None:
        padded = self.values(length + padding)
        assert self.cache.add_row(padded, length) == len(self.rows)
        cross = [values[:, :length] for values in padded]
        self.rows.append(Row(sentence=self.num_sentences, cross=cross))
        self.num_sentences += 1

    @precondition(lambda self: self.rows)
    @rule(choice=choices, length=sentence_lengths)
    def take_over(self, choice: int, length: int) -> None:
        row = choice % len(self.rows)
        cross = self.values(length)
        assert self.cache.add_row(cross, length, row=row) == row
        self.rows[row] = Row(sentence=self.num_sentences, cross=cross)
        self.num_sentences += 1

    @precondition(lambda self: 0 < len(self.rows) < NUM_SLOTS)
    @rule(choice=choices)
    def fork(self, choice: int) -> None:
        parent = choice % len(self.rows)
        row = self.cache.new_row()
        assert row == len(self.rows)
        self.cache.copy_rows([parent], [row])
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
    @rule(pairs=st.lists(st.tuples(choices, choices), min_size=1, max_size=3))
    def copy_pasts(self, pairs: list[tuple[int, int]]) -> None:
        copies: dict[int, int] = {}
        for parent, child in ((a % len(self.rows), b % len(self.rows)) for a, b in pairs):
            is_family = self.rows[parent].sentence == self.rows[child].sentence
            if is_family and parent not in copies and child not in {parent, *copies.values()}:
                copies[child] = parent
        if copies:
            self.cache.copy_pasts(list(copies.values()), list(copies))
            for child, parent in copies.items():
                self.rows[child].past = list(self.rows[parent].past)

    @precondition(lambda self: self.rows)
    @rule(chosen=st.sets(choices, max_size=4))
    def release(self, chosen: set[int]) -> None:
        ended = {choice % len(self.rows) for choice in chosen}
        moved = dict(self.cache.release_rows(ended))
        left = len(self.rows) - len(ended)
        # Rows beyond the new end move into gaps; all others stay.
        assert set(moved) == {row for row in range(left, len(self.rows)) if row not in ended}
        assert set(moved.values()) == {row for row in ended if row < left}
        for origin, destination in moved.items():
            self.rows[destination] = self.rows[origin]
        del self.rows[left:]

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


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_row_holds_what_it_must_whatever_happens(dtype: CacheDtype) -> None:
    machine = type("Machine", (SlotCacheMachine,), {"dtype": dtype})
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=25))


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_buffers_have_the_dtype_of_the_manifest(dtype: CacheDtype) -> None:
    cache = SlotCache(manifest_of(dtype), NUM_SLOTS)
    assert {buffer.dtype.name for buffer in (*cache.past, *cache.cross)} == {dtype}


def test_a_row_beyond_the_slots_is_a_broken_invariant() -> None:
    cache = SlotCache(manifest_of("int8"), 1)
    cross = [buffer[0] for buffer in cache.cross]
    cache.add_row(cross, CAPACITY)
    with pytest.raises(AssertionError, match="reserved"):
        cache.add_row(cross, CAPACITY)


def test_states_of_a_recurrence_move_with_their_rows() -> None:
    manifest = manifest_of("float32")
    shape = manifest.architecture.model_copy(update={"decoder_cell": "ssru"})
    cache = SlotCache(manifest.model_copy(update={"architecture": shape}), NUM_SLOTS)
    assert [state.shape for state in cache.past] == (
        [(NUM_SLOTS, shape.d_model)] * shape.num_decoder_layers
    )
    for _ in range(3):
        cache.new_row()
    for layer, states in enumerate(cache.past):
        states[:] = np.arange(NUM_SLOTS)[:, None] + 10 * layer
    cache.copy_pasts([0], [1])
    assert cache.release_rows([0]) == [(2, 0)]
    for layer, states in enumerate(cache.past):
        assert [float(row[0]) - 10 * layer for row in states[:2]] == [2, 0]
