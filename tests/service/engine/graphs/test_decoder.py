import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.cache.slot_cache import SlotCache
from service.engine.graphs.decoder import DecoderStep
from service.engine.graphs.encoder import encode
from tests.service.engine.spy import Tensors, spied
from tests.service.engine.tiny import LIMIT, tiny, tiny_sessions, tiny_sources

NUM_SLOTS = 4


def cache_of(sources: list[tuple[int, ...]], *, stale: int = 0) -> SlotCache:
    """A row for each source, in memory that held something else before."""
    cache = SlotCache(tiny().manifest, NUM_SLOTS)
    for buffer in (*cache.past, *cache.cross):
        buffer.fill(stale)
    for source in sources:
        (group,) = encode(tiny_sessions(), [source])
        cache.add_row([values[0] for values in group.cross], len(source))
    return cache


def greedy_logits(step: DecoderStep, cache: SlotCache, num_steps: int) -> NDArray[np.float32]:
    """Logits of every step, float32 [steps, rows, vocab]."""
    step.input_ids[:] = tiny().manifest.special_ids.bos
    logits = []
    for _ in range(num_steps):
        logits.append(step.run().copy())
        step.input_ids[: cache.num_live, 0] = logits[-1].argmax(axis=1)
    return np.stack(logits)


@pytest.mark.parametrize("stale", [-128, 127])
def test_stale_content_of_a_row_is_never_read(stale: int) -> None:
    sources = list(tiny_sources()[:3])
    clean, reused = cache_of(sources), cache_of(sources, stale=stale)
    expected = greedy_logits(DecoderStep(tiny_sessions(), clean), clean, 10)
    found = greedy_logits(DecoderStep(tiny_sessions(), reused), reused, 10)
    np.testing.assert_array_equal(found, expected)


def test_a_row_computes_the_same_alone_and_beside_others() -> None:
    sources = list(tiny_sources()[:NUM_SLOTS])
    together = cache_of(sources)
    expected = greedy_logits(DecoderStep(tiny_sessions(), together), together, 10)
    for i, source in enumerate(sources):
        alone = cache_of([source])
        found = greedy_logits(DecoderStep(tiny_sessions(), alone), alone, 10)
        np.testing.assert_array_equal(found[:, 0], expected[:, i])


def test_a_step_feeds_one_token_per_row_whatever_was_decoded_before() -> None:
    sessions, spy = spied(tiny_sessions())
    cache = cache_of(list(tiny_sources()[:3]))
    greedy_logits(DecoderStep(sessions, cache), cache, LIMIT)
    assert len(spy.fed) == LIMIT
    assert [shapes["input_ids"] for shapes in spy.fed] == [(3, 1)] * LIMIT
    # All else is bound by pointer, as large in the last step as in the first.
    assert all(shapes == spy.fed[0] for shapes in spy.fed)
    assert spy.num_bindings == 1


def test_the_totals_are_those_of_the_live_rows() -> None:
    sources = sorted(tiny_sources()[:3], key=len)
    seen: list[tuple[list[int], list[int], list[int]]] = []

    def look(tensors: Tensors) -> None:
        names = ("positions", "total", "source_total")
        positions, total, source_total = (tensors[name].tolist() for name in names)
        seen.append((positions, total, source_total))

    sessions, spy = spied(tiny_sessions())
    spy.before = look
    cache = cache_of(sources)
    step = DecoderStep(sessions, cache)
    step.run()
    cache.release_rows([2])
    step.run()
    assert seen == [([0, 0, 0], [1], [len(sources[2])]), ([1, 1], [2], [len(sources[1])])]


def test_each_number_of_rows_is_bound_once() -> None:
    sessions, spy = spied(tiny_sessions())
    cache = cache_of(list(tiny_sources()[:3]))
    step = DecoderStep(sessions, cache)
    for _ in range(2):
        step.run()
        cache.release_rows([0])
        step.run()
        cache.new_row()
    assert spy.num_bindings == 2
    assert [shapes["input_ids"][0] for shapes in spy.fed] == [3, 2, 3, 2]


def test_a_step_writes_one_position_of_the_cache_and_leaves_the_source_as_it_is() -> None:
    sources = list(tiny_sources()[:3])
    cache = cache_of(sources, stale=99)
    cross = [buffer.copy() for buffer in cache.cross]
    step = DecoderStep(tiny_sessions(), cache)
    step.run()
    first = [buffer.copy() for buffer in cache.past]
    step.run()
    for before, after in zip(first, cache.past, strict=True):
        assert (before[:3, :, 0] != 99).any(axis=-1).all()
        np.testing.assert_array_equal(after[:3, :, 0], before[:3, :, 0])
        assert (after[:3, :, 1] != 99).any(axis=-1).all()
        assert (after[:3, :, 2:] == 99).all()
        assert (after[3:] == 99).all()
    for before, after in zip(cross, cache.cross, strict=True):
        np.testing.assert_array_equal(after, before)


def test_each_row_is_at_its_own_position() -> None:
    early, late = tiny_sources()[:2]
    alone = cache_of([late])
    expected = greedy_logits(DecoderStep(tiny_sessions(), alone), alone, 1)
    cache = cache_of([early])
    step = DecoderStep(tiny_sessions(), cache)
    greedy_logits(step, cache, 5)
    (group,) = encode(tiny_sessions(), [late])
    row = cache.add_row([values[0] for values in group.cross], len(late))
    step.input_ids[row] = tiny().manifest.special_ids.bos
    np.testing.assert_array_equal(step.run()[row], expected[0, 0])
    assert cache.positions[: cache.num_live].tolist() == [6, 1]
