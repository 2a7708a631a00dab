"""Engines that are added and retired while others work: no sentence notices."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from service.observability.metrics import Metrics
from service.scheduling.attend_queue import AttendQueue
from service.scheduling.job import Entry, JobResult
from service.scheduling.limits import AdmissionLimits
from service.scheduling.queue import AdmissionQueue
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.engine_pool import EnginePool
from service.scheduling.workers.process_engine import ProcessEngine, ProcessOptions
from tests.service.engine.tiny import GREEDY, alone, tiny_sources
from tests.service.scheduling.workers.pairs import asked, assert_attended
from tests.service.scheduling.workers.single_loop import job_of
from tests.service.tiny_models import tiny_bundle
from tests.service.waiting import eventually

PATIENCE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    queue: AdmissionQueue
    attends: AttendQueue
    pool: EnginePool
    made: list[ProcessEngine]

    def submit(self, source: tuple[int, ...]) -> Future[JobResult]:
        entry = Entry(job=job_of(source), submitted_s=0.0)
        self.queue.add(entry)
        return entry.future

    def translate_all(self) -> None:
        futures = [self.submit(source) for source in tiny_sources()]
        found = [future.result(timeout=PATIENCE_S).hypotheses for future in futures]
        assert found == [alone(source, GREEDY) for source in tiny_sources()]

    @property
    def num_children(self) -> int:
        return sum(engine.pid is not None for engine in self.made)


@pytest.fixture
def pooled() -> Iterator[Pooled]:
    """One engine of three."""
    metrics, attends = Metrics(), AttendQueue()
    queue = AdmissionQueue(AdmissionLimits(), metrics)
    made: list[ProcessEngine] = []

    def create(number: int) -> Dispatcher:
        made.append(ProcessEngine(tiny_bundle(), ProcessOptions(num_slots=8)))
        return Dispatcher(made[-1], queue, metrics, attends=attends, number=number)

    pool = EnginePool(create, max_engines=3)
    pool.create(1)
    pool.launch()
    pool.start()
    yield Pooled(queue=queue, attends=attends, pool=pool, made=made)
    pool.close()
    assert not any(engine.pid for engine in made)


def test_an_added_engine_works(pooled: Pooled) -> None:
    assert pooled.pool.add()
    eventually(lambda: all(d.is_serving for d in pooled.pool.dispatchers))
    assert pooled.num_children == 2
    assert [dispatcher.number for dispatcher in pooled.pool.dispatchers] == [0, 1]
    pooled.translate_all()


def test_there_are_no_more_than_there_may_be(pooled: Pooled) -> None:
    assert [pooled.pool.add() for _ in range(3)] == [True, True, False]
    assert pooled.pool.num_engines == 3


def test_a_retired_engine_finishes_what_it_has(pooled: Pooled) -> None:
    assert pooled.pool.add()
    eventually(lambda: all(d.is_serving for d in pooled.pool.dispatchers))
    futures = [pooled.submit(source) for source in tiny_sources() * 5]
    attend = asked(9)
    pooled.attends.add(attend)
    pooled.pool.retire()
    assert pooled.pool.num_engines == 1
    found = [future.result(timeout=PATIENCE_S).hypotheses for future in futures]
    assert found == [alone(source, GREEDY) for source in tiny_sources() * 5]
    assert_attended(attend.future.result(timeout=PATIENCE_S), 9)
    eventually(lambda: pooled.num_children == 1)
    pooled.translate_all()


def test_an_engine_that_is_retired_while_it_starts_ends(pooled: Pooled) -> None:
    assert pooled.pool.add()
    pooled.pool.retire()
    eventually(lambda: pooled.num_children == 1)
    pooled.translate_all()


def test_numbers_are_used_again(pooled: Pooled) -> None:
    for _ in range(3):
        assert pooled.pool.add()
        assert pooled.pool.dispatchers[-1].number == 1
        pooled.pool.retire()
        eventually(lambda: not pooled.pool._leaving[-1].is_running)


def test_the_last_engine_stays(pooled: Pooled) -> None:
    pooled.pool.retire()
    assert pooled.pool.num_engines == 1
    pooled.translate_all()


def test_a_closed_pool_adds_none(pooled: Pooled) -> None:
    pooled.pool.close()
    assert not pooled.pool.add()
