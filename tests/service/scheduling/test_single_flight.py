"""Equal jobs share a run, and each of them is answered exactly once."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import pytest

from service.errors import (
    OverloadedError,
    ShuttingDownError,
    TranslationFailedError,
)
from service.observability.metrics import Metrics
from service.scheduling.job import Job, JobResult
from service.scheduling.limits import INTERNAL_REQUEST, Client, Request
from service.scheduling.scheduler import Scheduler, SchedulerOptions
from service.scheduling.single_flight import SharingOptions, SingleFlight
from tests.service.engine.spy import Tensors
from tests.service.engine.tiny import (
    EVERY_KIND,
    POISONED,
    alone,
    tiny_sessions,
    tiny_sources,
)
from tests.service.scheduling.workers.single_loop import (
    SingleLoop,
    assert_translated,
    hypotheses_of,
    job_of,
)
from tests.service.waiting import eventually

SOURCE = tiny_sources()[0]
MINE, YOURS = Client(name="mine"), Client(name="yours")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """A decode loop behind single flight, iterated by the test."""

    single: SingleLoop
    flights: SingleFlight

    @classmethod
    def create(cls, *, shares_runs: bool = True, cache_bytes: int = 0) -> "Sharing":
        single = SingleLoop.create()
        options = SharingOptions(shares_runs=shares_runs, cache_bytes=cache_bytes)
        flights = SingleFlight(single.queue, options, single.metrics, single.clock)
        return cls(single=single, flights=flights)

    def submit(
        self,
        source_ids: tuple[int, ...] = SOURCE,
        *,
        client: Client = MINE,
        request: Request = INTERNAL_REQUEST,
    ) -> Future[JobResult]:
        return self.flights.submit(replace(job_of(source_ids), client=client, request=request))

    def iterate(self, count: int = 1) -> None:
        self.single.iterate(count)

    def counted(self, metric: str, /, **labels: str) -> float:
        return self.single.counted(metric, **labels)


@pytest.fixture
def sharing() -> Sharing:
    return Sharing.create()


def is_failed(future: Future[JobResult], error: type[Exception]) -> bool:
    return isinstance(future.exception(timeout=0), error)


def test_equal_jobs_run_once(sharing: Sharing) -> None:
    futures = [sharing.submit() for _ in range(5)]
    sharing.iterate(3)
    futures += [sharing.submit() for _ in range(5)]
    sharing.single.run()
    for future in futures:
        assert_translated(future, SOURCE)
    assert sharing.counted("source_tokens_total") == len(SOURCE)
    assert sharing.counted("finish_total", reason="stop") == 1
    assert sharing.counted("shared_runs_total") == 9


def test_once_it_has_ended_a_run_is_joined_no_more(sharing: Sharing) -> None:
    sharing.submit()
    sharing.single.run()
    again = sharing.submit()
    assert not again.done()
    sharing.single.run()
    assert_translated(again, SOURCE)
    assert sharing.counted("source_tokens_total") == 2 * len(SOURCE)


def test_other_options_and_other_sources_run_by_themselves(sharing: Sharing) -> None:
    asked = [job_of(source, kind) for source in tiny_sources()[:2] for kind in EVERY_KIND]
    futures = [sharing.flights.submit(job) for job in asked]
    sharing.single.run()
    for job, future in zip(asked, futures, strict=True):
        assert hypotheses_of(future) == alone(job.source_ids, job.options)
    assert sharing.counted("shared_runs_total") == 0


@pytest.mark.parametrize("index", [0, 1, 2])
def test_cancelling_one_of_several_equal_jobs_leaves_the_others(
    sharing: Sharing, index: int
) -> None:
    futures = [sharing.submit() for _ in range(3)]
    sharing.iterate(2)
    assert futures[index].cancel()
    sharing.iterate()
    assert sharing.single.slots_in_use == 1
    sharing.single.run()
    for future in futures:
        if future is futures[index]:
            assert future.cancelled()
        else:
            assert_translated(future, SOURCE)


@pytest.mark.parametrize("turns", [0, 2])
def test_cancelling_the_last_equal_job_ends_the_run(sharing: Sharing, turns: int) -> None:
    futures = [sharing.submit() for _ in range(3)]
    sharing.iterate(turns)
    for future in futures:
        assert future.cancel()
    assert not sharing.single.queue.is_busy
    sharing.iterate()
    assert (sharing.single.slots_in_use, sharing.counted("queue_depth")) == (0, 0)
    assert wait(futures, 0).not_done == set()


def test_a_cancelled_run_is_not_joined(sharing: Sharing) -> None:
    first = sharing.submit()
    sharing.iterate(2)
    first.cancel()
    second = sharing.submit()
    sharing.single.run()
    assert_translated(second, SOURCE)


def test_no_job_waits_in_the_flow_of_another_client(sharing: Sharing) -> None:
    mine, yours = sharing.submit(client=MINE), sharing.submit(client=YOURS)
    assert sharing.counted("queue_depth") == 2
    assert mine.cancel()
    sharing.single.run()
    assert_translated(yours, SOURCE)


@pytest.mark.parametrize(
    ("first", "second", "num_runs"), [(40, 1, 2), (40, 40, 1), (1, 40, 1), (1, 1, 1)]
)
def test_only_a_short_request_waits_for_no_queued_run_of_a_long_one(
    sharing: Sharing, first: int, second: int, num_runs: int
) -> None:
    for num_sentences in (first, second):
        sharing.submit(request=Request(num_sentences=num_sentences))
    assert sharing.counted("queue_depth") == num_runs


def test_a_started_run_of_a_long_request_is_joined_by_a_short_one(sharing: Sharing) -> None:
    sharing.submit(request=Request(num_sentences=40))
    sharing.iterate(2)
    joined = sharing.submit(request=Request())
    sharing.single.run()
    assert_translated(joined, SOURCE)
    assert sharing.counted("source_tokens_total") == len(SOURCE)


def test_a_started_run_is_joined_by_any_client(sharing: Sharing) -> None:
    mine = sharing.submit(client=MINE)
    sharing.iterate(2)
    yours = sharing.submit(client=YOURS)
    assert mine.cancel()
    sharing.single.run()
    assert_translated(yours, SOURCE)
    assert sharing.counted("source_tokens_total") == len(SOURCE)


def test_a_failure_reaches_all_joined_jobs(sharing: Sharing) -> None:
    poisoned = [sharing.submit(POISONED) for _ in range(3)]
    healthy = sharing.submit()
    sharing.single.run()
    assert all(is_failed(future, TranslationFailedError) for future in poisoned)
    assert_translated(healthy, SOURCE)


def test_jobs_that_join_a_retried_run_get_its_result(sharing: Sharing) -> None:
    def break_down(_: Tensors) -> None:
        raise RuntimeError("the graph broke down")

    futures = [sharing.submit()]
    sharing.single.decoder.before = break_down
    sharing.iterate()
    sharing.single.decoder.before = None
    futures.append(sharing.submit())
    sharing.single.run()
    for future in futures:
        assert_translated(future, SOURCE)
    assert sharing.counted("finish_total", reason="stop") == 1


def test_a_job_that_must_run_runs(sharing: Sharing) -> None:
    sharing.submit()
    sharing.iterate(2)
    probe = sharing.flights.submit(replace(job_of(SOURCE), must_run=True))
    sharing.single.run()
    assert_translated(probe, SOURCE)
    assert sharing.counted("finish_total", reason="stop") == 2


def test_sharing_can_be_switched_off() -> None:
    sharing = Sharing.create(shares_runs=False)
    futures = [sharing.submit() for _ in range(3)]
    assert sharing.counted("queue_depth") == 3
    sharing.single.run()
    for future in futures:
        assert_translated(future, SOURCE)


def numbered(number: int) -> tuple[int, ...]:
    """A source that no other number has."""
    return (*SOURCE[:-1], *(4 + int(digit) for digit in str(number)), SOURCE[-1])


def fill(sharing: Sharing) -> list[Future[JobResult]]:
    """Submit until it is refused."""
    accepted: list[Future[JobResult]] = []
    while True:
        try:
            accepted.append(sharing.submit(numbered(len(accepted))))
        except OverloadedError:
            return accepted


def test_a_full_queue_refuses_jobs_that_need_a_run_and_keeps_nothing_of_them(
    sharing: Sharing,
) -> None:
    waiting = fill(sharing)
    assert not sharing.submit(numbered(0)).done()  # it needs no place
    assert sharing.counted("shared_runs_total") == 1
    for future in waiting[1:]:
        assert future.cancel()
    assert not sharing.submit(numbered(len(waiting))).done()
    assert sharing.counted("shared_runs_total") == 1
    assert sharing.counted("queue_depth") == 2


def test_once_closed_no_job_joins_a_run_or_gets_a_cached_result() -> None:
    sharing = Sharing.create(cache_bytes=1_000_000)
    sharing.submit()
    sharing.single.run()
    sharing.submit(tiny_sources()[1])
    sharing.flights.close()
    sharing.single.queue.close()
    for source in tiny_sources()[:2]:
        with pytest.raises(ShuttingDownError):
            sharing.submit(source)


def test_a_cached_result_equals_a_run_and_takes_no_time() -> None:
    sharing = Sharing.create(cache_bytes=1_000_000)
    asked = [job_of(source, kind) for source in tiny_sources()[:3] for kind in EVERY_KIND]
    first = [sharing.flights.submit(job) for job in asked]
    sharing.single.run()
    steps = sharing.counted("decode_steps_total")
    again = [sharing.flights.submit(job) for job in asked]
    assert [hypotheses_of(f) for f in again] == [hypotheses_of(f) for f in first]
    assert [hypotheses_of(f) for f in again] == [alone(j.source_ids, j.options) for j in asked]
    assert {(f.result(0).queue_s, f.result(0).decode_s) for f in again} == {(0.0, 0.0)}
    assert sharing.counted("decode_steps_total") == steps
    assert sharing.counted("cache_misses_total") == sharing.counted("cache_hits_total")
    assert sharing.counted("cache_hits_total") == len(asked)


def test_neither_failures_nor_cancelled_runs_are_cached() -> None:
    sharing = Sharing.create(cache_bytes=1_000_000)
    sharing.submit(POISONED)
    sharing.submit().cancel()
    sharing.single.run()
    assert not sharing.submit(POISONED).done()
    assert not sharing.submit().done()


def test_a_job_that_must_run_gets_no_cached_result() -> None:
    sharing = Sharing.create(cache_bytes=1_000_000)
    sharing.submit()
    sharing.single.run()
    assert not sharing.flights.submit(replace(job_of(SOURCE), must_run=True)).done()


def test_many_threads_share_the_runs_of_a_real_scheduler() -> None:
    metrics = Metrics()
    options = SchedulerOptions(num_workers=2, slots_per_worker=8)
    scheduler = Scheduler(tiny_sessions(), options, metrics)
    scheduler.start()
    asked = [job_of(tiny_sources()[i % 7]) for i in range(700)]

    def ask(job: Job) -> Future[JobResult]:
        future = scheduler.submit(job)
        if id(job) % 3 == 0:
            future.cancel()
        return future

    try:
        with ThreadPoolExecutor(8) as clients:
            futures = list(clients.map(ask, asked))
        assert wait(futures, 30).not_done == set()
        for job, future in zip(asked, futures, strict=True):
            if not future.cancelled():
                assert_translated(future, job.source_ids)
        eventually(lambda: not scheduler.is_busy)
    finally:
        scheduler.close()
    assert metrics.registry.get_sample_value("pellucid_queue_depth") == 0
    assert metrics.registry.get_sample_value("pellucid_slots_in_use") == 0
