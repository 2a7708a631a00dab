import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from bundle.tensors import ENCODER_NAME
from service.engine.graphs.sessions import Sessions
from service.engine.search.options import MAX_BEAM_SIZE
from service.errors import OverloadedError, ShuttingDownError, TranslationFailedError
from service.observability.metrics import Metrics
from service.scheduling.job import JobResult
from service.scheduling.limits import AdmissionLimits, Client, Request
from service.scheduling.scheduler import Scheduler, SchedulerOptions
from service.scheduling.single_flight import SharingOptions
from tests.service.engine.tiny import (
    EVERY_KIND,
    GREEDY,
    POISONED,
    alone,
    tiny_sessions,
    tiny_sources,
)
from tests.service.scheduling.workers.single_loop import counted, hypotheses_of, job_of
from tests.service.tiny_models import FakeClock
from tests.service.waiting import eventually

PATIENCE_S = 30.0
"""Longest wait for a thread; no passing test needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedEncoder:
    """The real encoder behind a gate: says that it was reached, and waits to be let through."""

    real: Any
    reached: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)

    def run(self, *arguments: object) -> list[np.ndarray[Any, Any]]:
        self.reached.set()
        assert self.gate.wait(PATIENCE_S)
        outputs: list[np.ndarray[Any, Any]] = self.real.run(*arguments)
        return outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    scheduler: Scheduler
    metrics: Metrics
    clock: FakeClock

    def submit(self, source_ids: tuple[int, ...]) -> Future[JobResult]:
        return self.scheduler.submit(job_of(source_ids))


@contextmanager
def running(
    sessions: Sessions | None = None,
    *,
    num_workers: int = 1,
    limits: AdmissionLimits | None = None,
    is_started: bool = True,
) -> Iterator[Running]:
    options = SchedulerOptions(
        num_workers=num_workers, slots_per_worker=8, limits=limits or AdmissionLimits()
    )
    metrics, clock = Metrics(), FakeClock()
    scheduler = Scheduler(sessions or tiny_sessions(), options, metrics, clock)
    try:
        if is_started:
            scheduler.start()
        yield Running(scheduler=scheduler, metrics=metrics, clock=clock)
    finally:
        scheduler.close()


@contextmanager
def gated(**options: Any) -> Iterator[tuple[Running, GatedEncoder]]:  # noqa: ANN401 - as `running`
    encoder = GatedEncoder(real=tiny_sessions().encoder)
    with running(tiny_sessions().with_session(ENCODER_NAME, encoder), **options) as service:
        try:
            yield service, encoder
        finally:
            encoder.gate.set()


def test_sentences_that_the_cache_answers_take_turns_with_another_client() -> None:
    options = SchedulerOptions(
        num_workers=1, slots_per_worker=8, sharing=SharingOptions(cache_bytes=1_000_000)
    )
    scheduler = Scheduler(tiny_sessions(), options, Metrics())
    job, request = job_of(tiny_sources()[0]), Request(num_sentences=60)

    async def scenario() -> int:
        await scheduler.run(job)
        many = replace(job, client=Client(name="one"), request=request)
        crowd = [asyncio.create_task(scheduler.run(many)) for _ in range(60)]
        await asyncio.sleep(0)
        await scheduler.run(replace(job, client=Client(name="other")))
        num_done = sum(each.done() for each in crowd)
        await asyncio.gather(*crowd)
        return num_done

    scheduler.start()
    try:
        assert asyncio.run(scenario()) < 30
    finally:
        scheduler.close()


def in_background(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_the_widest_beam_must_fit() -> None:
    options = SchedulerOptions(slots_per_worker=MAX_BEAM_SIZE - 1)
    with pytest.raises(ValueError, match="slots_per_worker is 7; the widest beam needs 8"):
        Scheduler(tiny_sessions(), options, Metrics())


@pytest.mark.parametrize("num_workers", [1, 3])
def test_many_clients_get_what_each_gets_alone(num_workers: int) -> None:
    asked = [
        job_of(source, EVERY_KIND[i % len(EVERY_KIND)]) for i, source in enumerate(tiny_sources())
    ]
    with running(num_workers=num_workers) as service, ThreadPoolExecutor(8) as clients:
        futures = list(clients.map(service.scheduler.submit, asked))
        assert wait(futures, PATIENCE_S).not_done == set()
    expected = [alone(job.source_ids, job.options) for job in asked]
    assert [hypotheses_of(future) for future in futures] == expected
    assert counted(service.metrics, "slots_in_use") == 0


def test_a_poisoned_job_harms_no_other_at_any_worker() -> None:
    sources = [*tiny_sources(), POISONED]
    with running(num_workers=2) as service:
        *futures, poisoned = [service.submit(source) for source in sources]
        assert wait([*futures, poisoned], PATIENCE_S).not_done == set()
        assert isinstance(poisoned.exception(0), TranslationFailedError)
        assert [hypotheses_of(f) for f in futures] == [alone(s, GREEDY) for s in tiny_sources()]
        # The threads live on.
        again = [service.submit(source) for source in tiny_sources()]
        assert wait(again, PATIENCE_S).not_done == set()
        assert all(future.exception(0) is None for future in again)


def test_a_full_queue_refuses() -> None:
    limits = AdmissionLimits(max_queued_jobs=2)
    with running(limits=limits, is_started=False) as service:
        for source in tiny_sources()[:2]:
            service.submit(source)
        with pytest.raises(OverloadedError) as caught:
            service.submit(tiny_sources()[2])
        assert caught.value.retry_after_s > 0


def test_a_cancelled_job_frees_its_slots() -> None:
    with gated() as (service, encoder):
        future = service.submit(tiny_sources()[0])
        assert encoder.reached.wait(PATIENCE_S)
        assert future.cancel()
        encoder.gate.set()
        eventually(lambda: not service.scheduler.is_busy)
        # The worker sees it at its next turn.
        eventually(lambda: counted(service.metrics, "slots_in_use") == 0)


def test_a_scheduler_is_busy_with_what_is_being_encoded_and_with_what_waits() -> None:
    with gated() as (service, encoder):
        assert not service.scheduler.is_busy
        futures = [service.submit(source) for source in tiny_sources()]
        assert encoder.reached.wait(PATIENCE_S)
        assert service.scheduler.is_busy
        encoder.gate.set()
        eventually(lambda: not service.scheduler.is_busy)
        assert [hypotheses_of(f) for f in futures] == [alone(s, GREEDY) for s in tiny_sources()]


def test_a_closed_scheduler_accepts_nothing() -> None:
    with running() as service:
        service.scheduler.close()
        with pytest.raises(ShuttingDownError):
            service.submit(tiny_sources()[0])


def test_closing_ends_queued_jobs_if_nothing_ever_ran() -> None:
    with running(is_started=False) as service:
        futures = [service.submit(source) for source in tiny_sources()]
        futures[0].cancel()
    assert all(isinstance(f.exception(0), ShuttingDownError) for f in futures[1:])
    assert counted(service.metrics, "queue_depth") == 0


def test_closing_under_load_ends_every_job() -> None:
    with gated(num_workers=2) as (service, encoder):
        futures = [service.submit(source) for source in tiny_sources()]
        assert encoder.reached.wait(PATIENCE_S)
        closing = in_background(service.scheduler.close)
        while not is_refused(service):
            pass
        encoder.gate.set()
        closing.join(PATIENCE_S)
        assert not closing.is_alive()
    assert wait(futures, 0).not_done == set()
    errors = [future.exception(0) for future in futures]
    assert all(error is None or isinstance(error, ShuttingDownError) for error in errors)
    assert counted(service.metrics, "slots_in_use") == 0
    assert counted(service.metrics, "queue_depth") == 0


def is_refused(service: Running) -> bool:
    try:
        service.submit(tiny_sources()[0]).cancel()
    except ShuttingDownError:
        return True
    return False


def test_closing_twice_is_closing_once() -> None:
    with running(num_workers=2) as service:
        service.scheduler.close()
        service.scheduler.close()
        assert not service.scheduler.is_busy


def test_a_closed_scheduler_is_not_busy() -> None:
    with gated() as (service, encoder):
        service.submit(tiny_sources()[0])
        assert encoder.reached.wait(PATIENCE_S)
        encoder.gate.set()
        service.scheduler.close()
        assert not service.scheduler.is_busy


def test_a_worker_that_is_stuck_is_not_alive() -> None:
    with gated() as (service, encoder):
        stuck = service.submit(tiny_sources()[0])
        assert encoder.reached.wait(PATIENCE_S)
        assert service.scheduler.is_alive(5)
        service.clock.now_s += 6
        assert not service.scheduler.is_alive(5)
        encoder.gate.set()
        stuck.result(PATIENCE_S)
        # Its later turns were on the new time.
        service.submit(tiny_sources()[1]).result(PATIENCE_S)
        assert service.scheduler.is_alive(5)


def test_one_stuck_worker_of_several_is_enough() -> None:
    with gated(num_workers=2) as (service, encoder):
        service.submit(tiny_sources()[0])
        assert encoder.reached.wait(PATIENCE_S)
        service.clock.now_s += 6
        assert not service.scheduler.is_alive(5)
