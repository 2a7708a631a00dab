"""Engines that die: their jobs go to another one together, and one by one only if that dies too."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from service.engine.loop import Progress
from service.engine.prefill import DecodeRequest
from service.errors import TranslationFailedError
from service.observability.metrics import Metrics
from service.scheduling.queue import AdmissionQueue
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.engine_client import EngineDiedError
from service.scheduling.workers.local_engine import LocalEngine
from tests.service.engine.tiny import tiny_sessions, tiny_sources
from tests.service.scheduling.workers.single_loop import (
    SingleLoop,
    assert_translated,
    hypotheses_of,
    job_of,
)

NUM_SLOTS = 8
SOURCES = tiny_sources()[:NUM_SLOTS]


class Mortal(LocalEngine):
    """Dies when the test says so, and starts anew with nothing inside."""

    is_dying = False
    poison: tuple[int, ...] = ()
    """It dies of this sentence."""

    def submit(self, requests: Sequence[DecodeRequest[int]], *, is_urgent: bool = False) -> None:
        super().submit(requests, is_urgent=is_urgent)
        self.is_dying |= any(request.source_ids == self.poison for request in requests)

    def work(self, timeout_s: float) -> Progress[int]:
        if self.is_dying:
            self.is_dying = False
            raise EngineDiedError("killed")
        return super().work(timeout_s)

    def close(self) -> None:
        super().__init__(tiny_sessions(), num_slots=NUM_SLOTS)


@pytest.fixture
def engine() -> Mortal:
    return Mortal(tiny_sessions(), num_slots=NUM_SLOTS)


@pytest.fixture
def single(engine: Mortal) -> SingleLoop:
    made = SingleLoop.create()
    return replace(made, worker=_dispatcher(engine, made.queue, made.metrics))


def _dispatcher(engine: LocalEngine, queue: AdmissionQueue, metrics: Metrics) -> Dispatcher:
    return Dispatcher(engine, queue, metrics, wait_s=0.0)


def die(single: SingleLoop, engine: Mortal) -> None:
    engine.is_dying = True
    single.iterate()


def test_after_a_death_all_jobs_go_on_together(single: SingleLoop, engine: Mortal) -> None:
    futures = [single.submit(source) for source in SOURCES]
    single.iterate(2)
    die(single, engine)
    assert (single.slots_in_use, single.counted("queue_depth")) == (0, NUM_SLOTS)
    single.iterate()
    assert (single.slots_in_use, single.counted("queue_depth")) == (NUM_SLOTS, 0)
    single.run()
    for source, future in zip(SOURCES, futures, strict=True):
        assert_translated(future, source)


def test_another_engine_takes_them_before_all_others_although_it_is_at_work(
    single: SingleLoop, engine: Mortal
) -> None:
    other = _dispatcher(
        LocalEngine(tiny_sessions(), num_slots=2 * NUM_SLOTS), single.queue, single.metrics
    )
    first = single.submit(tiny_sources()[20])
    other.iterate()
    futures = [single.submit(source) for source in SOURCES]
    single.iterate()
    die(single, engine)
    late = single.submit(tiny_sources()[21])
    other.iterate()
    assert single.slots_in_use == 1 + NUM_SLOTS
    assert single.counted("queue_depth") == 1, "the late one"
    while not all(future.done() for future in (first, *futures, late)):
        other.iterate()
    for source, future in zip(SOURCES, futures, strict=True):
        assert_translated(future, source)


def test_after_two_deaths_they_go_on_one_by_one(single: SingleLoop, engine: Mortal) -> None:
    futures = [single.submit(source) for source in SOURCES]
    single.iterate()
    die(single, engine)
    die(single, engine)
    single.iterate()
    assert single.slots_in_use == 1
    single.run()
    for source, future in zip(SOURCES, futures, strict=True):
        assert_translated(future, source)


def test_a_job_that_was_alone_in_two_deaths_fails_alone_with_its_id_in_the_log(
    single: SingleLoop, engine: Mortal, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [job_of(source) for source in SOURCES[:3]]
    futures = [single.add(replace(job, request_id=f"id-{n}")) for n, job in enumerate(jobs)]
    engine.poison = SOURCES[0]
    with caplog.at_level(logging.ERROR):
        single.run()
    with pytest.raises(TranslationFailedError):
        hypotheses_of(futures[0])
    for source, future in zip(SOURCES[1:], futures[1:], strict=False):
        assert_translated(future, source)
    named = [
        vars(record)["request_id"] for record in caplog.records if hasattr(record, "request_id")
    ]
    assert named == ["id-0"]
    assert single.counted("engine_restarts_total") == 4, "twice with the others, twice alone"


def test_jobs_of_a_dead_engine_can_be_cancelled(single: SingleLoop, engine: Mortal) -> None:
    given_up, kept = single.submit(SOURCES[0]), single.submit(SOURCES[1])
    single.iterate()
    die(single, engine)
    assert given_up.cancel()
    assert single.counted("queue_depth") == 1
    single.run()
    assert_translated(kept, SOURCES[1])
    assert not single.queue.clear()
