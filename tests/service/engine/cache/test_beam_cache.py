"""Every row reads the source of its sentence, from the place that it has there."""

from collections.abc import Iterable

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bundle.tensors import NUM_PLACES
from service.engine.cache.beam_cache import BeamCache
from service.engine.cache.live_rows import LiveRows
from service.engine.cache.slot_cache import CacheArray
from tests.service.engine.tiny import tiny

NUM_SLOTS = 12
LENGTH = 4

choices = st.integers(0, 99)


class BeamCacheMachine(RuleBasedStateMachine):
    """The cache beside a plain list of the rows of every sentence."""

    def __init__(self) -> None:
        super().__init__()
        limits = {"max_source_tokens": LENGTH, "max_target_tokens": LENGTH}
        self.cache = BeamCache(tiny().manifest.model_copy(update=limits), NUM_SLOTS)
        self.rows = LiveRows(self.cache)
        self.sentences: dict[int, list[int]] = {}
        self.next_sentence = 0

    @property
    def num_rows(self) -> int:
        return sum(map(len, self.sentences.values()))

    @precondition(lambda self: len(self.sentences) < NUM_SLOTS // 2 and self.num_rows < NUM_SLOTS)
    @rule(length=st.integers(1, LENGTH))
    def join(self, length: int) -> None:
        self.next_sentence += 1
        row = self.rows.take()
        self.cache.add_row(self.source(self.next_sentence, length), length, row=row)
        self.sentences[self.next_sentence] = [row]

    def source(self, sentence: int, length: int = LENGTH) -> list[CacheArray]:
        architecture = tiny().manifest.architecture
        shape = (architecture.num_heads, length, architecture.head_dim)
        return [np.full(shape, sentence % 128, dtype=np.int8) for _ in self.cache.cross]

    @precondition(lambda self: self.sentences and self.num_rows < NUM_SLOTS)
    @rule(choice=choices)
    def fork(self, choice: int) -> None:
        rows = self.chosen(choice)[1]
        if len(rows) < NUM_PLACES:
            new = self.rows.take()
            self.cache.copy_rows([rows[0]], [new])
            rows.append(new)

    @precondition(lambda self: self.sentences)
    @rule(choice=choices)
    def prune(self, choice: int) -> None:
        rows = self.chosen(choice)[1]
        if len(rows) > 1:
            self.rows.release([rows.pop(choice % len(rows))])

    @precondition(lambda self: self.sentences)
    @rule(choice=choices)
    def leave(self, choice: int) -> None:
        sentence, rows = self.chosen(choice)
        self.rows.release(rows)
        del self.sentences[sentence]

    @rule()
    def clear(self) -> None:
        self.rows.clear()
        self.sentences.clear()

    @rule()
    def close_gaps(self) -> None:
        moved = dict(self.rows.close_gaps())
        for rows in self.sentences.values():
            rows[:] = [moved.get(row, row) for row in rows]
        assert self.cache.num_live == self.num_rows

    def chosen(self, choice: int) -> tuple[int, list[int]]:
        sentence = sorted(self.sentences)[choice % len(self.sentences)]
        return sentence, self.sentences[sentence]

    @invariant()
    def every_row_reads_its_source(self) -> None:
        sources: dict[int, int] = {}
        for sentence, rows in self.sentences.items():
            places = {self.place_of(row) for row in rows}
            assert len(places) == len(rows)
            ((source,),) = ({source for source, _ in places},)
            assert source < self.cache.num_sources
            assert all((buffer[source, :, 0] == sentence % 128).all() for buffer in self.cross())
            assert sources.setdefault(source, sentence) == sentence

    def place_of(self, row: int) -> tuple[int, int]:
        """Source and place of a row, from the way back, checked against the way there."""
        heads = np.arange(tiny().manifest.architecture.num_heads)
        first, place = divmod(int(self.cache.row_heads[row, 0]), NUM_PLACES)
        source = first // len(heads)
        way_back = (source * len(heads) + heads) * NUM_PLACES + place
        np.testing.assert_array_equal(self.cache.row_heads[row], way_back)
        way_there = self.cache.place_heads[source, :, place]
        np.testing.assert_array_equal(way_there, row * len(heads) + heads)
        return source, place

    @invariant()
    def no_place_reads_a_row_that_is_not_live(self) -> None:
        heads = tiny().manifest.architecture.num_heads
        read = self.cache.place_heads[: self.cache.num_sources]
        assert not read.size or read.max() < max(self.cache.num_live, 1) * heads

    def cross(self) -> Iterable[CacheArray]:
        return self.cache.cross

    def teardown(self) -> None:
        for rows in self.sentences.values():
            self.rows.release(rows)
        self.sentences.clear()
        self.close_gaps()
        assert (self.cache.num_live, self.cache.num_sources) == (0, 0)


TestBeamCache = BeamCacheMachine.TestCase
TestBeamCache.settings = settings(max_examples=60, stateful_step_count=30)
