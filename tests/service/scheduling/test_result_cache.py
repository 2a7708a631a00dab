"""The result cache keeps the most recent results within a bound of bytes."""

import tracemalloc
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from service.engine.search.options import DecodeOptions, Hypothesis
from service.engine.search.trace import Candidate, SearchTrace
from service.scheduling.single_flight import ResultCache, ResultKey, size_of

OPTIONS = DecodeOptions()


def result(length: int) -> tuple[Hypothesis, ...]:
    """Numbers of its own, as a decoder makes them."""
    best = Hypothesis(
        target_ids=tuple(range(1000, 1000 + length)),
        token_log_probs=tuple(-0.5 - i for i in range(length)),
        finish_reason="stop",
        has_ended=True,
        score=-0.5,
    )
    return (best,)


def key(number: int, length: int = 10) -> ResultKey:
    return tuple(range(1000 * number, 1000 * number + length)), replace(OPTIONS)


SIZE = size_of(key(1), result(10))


def test_cached_results_are_found() -> None:
    cache = ResultCache(SIZE)
    assert cache.find(key(1)) is None
    cache.add(key(1), result(10))
    assert cache.find(key(1)) == result(10)
    assert (len(cache), cache.num_bytes) == (1, SIZE)


def test_other_options_are_another_result() -> None:
    cache = ResultCache(10 * SIZE)
    cache.add(key(1), result(10))
    source_ids, options = key(1)
    assert cache.find((source_ids, replace(options, length_penalty=0.7))) is None


def test_the_least_recently_used_result_is_evicted_first() -> None:
    cache = ResultCache(3 * SIZE)
    for number in (1, 2, 3):
        cache.add(key(number), result(10))
    cache.find(key(1))
    cache.add(key(4), result(10))
    assert [n for n in (1, 2, 3, 4) if cache.find(key(n))] == [1, 3, 4]


def test_a_trace_is_counted_with_its_result() -> None:
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    steps = tuple(
        tuple(
            Candidate(
                prefix=300 + i,
                token=1000 + i,
                token_log_prob=-0.5 - i,
                log_prob=-1.5 - i,
                fate="kept",
                place=400 + i,
                score=-2.5 - i,
            )
            for i in range(8)
        )
        for _ in range(50)
    )
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    (best,) = result(10)
    traced = (replace(best, trace=SearchTrace(steps=steps, stop="end")),)
    assert taken <= size_of(key(1), traced) - SIZE


def test_the_same_result_twice_is_cached_once() -> None:
    cache = ResultCache(3 * SIZE)
    for _ in range(3):
        cache.add(key(1), result(10))
    assert (len(cache), cache.num_bytes) == (1, SIZE)


def test_a_result_over_the_bound_evicts_nothing() -> None:
    cache = ResultCache(3 * SIZE)
    cache.add(key(1), result(10))
    cache.add(key(2), result(1000))
    assert (cache.find(key(1)), cache.find(key(2))) == (result(10), None)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 60)), max_size=60))
def test_the_bound_holds_for_any_sequence(added: list[tuple[int, int]]) -> None:
    cache = ResultCache(5 * SIZE)
    lengths: dict[int, int] = {}
    for number, length in added:
        lengths[number] = length
        cache.add(key(number), result(length))
        kept = [n for n in lengths if cache.find(key(n))]
        assert len(kept) == len(cache)
        assert cache.num_bytes <= 5 * SIZE
        assert number in kept or size_of(key(number), result(length)) > 5 * SIZE


def test_the_estimate_matches_the_memory_used() -> None:
    cache = ResultCache(2_000_000)
    tracemalloc.start()
    try:
        for number in range(2_000):
            cache.add(key(number, 5 + number % 40), result(5 + number % 50))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.6 * cache.num_bytes < taken <= cache.num_bytes
