"""A state machine of the scheduler: every job ends exactly once, and nothing is left over.

It has all parts of a scheduler except threads: queue, single flight and two decode loops, which the
test iterates on a fake clock.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.engine.search.options import DecodeOptions
from service.errors import OverloadedError, ShuttingDownError, TranslationFailedError
from service.observability.metrics import Metrics
from service.scheduling.job import Job, JobResult
from service.scheduling.limits import INTERNAL_CLIENT, AdmissionLimits, Client, Request
from service.scheduling.queue import RECENTLY_S, AdmissionQueue
from service.scheduling.single_flight import SharingOptions, SingleFlight
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.local_engine import LocalEngine
from service.scheduling.workers.look_ahead import LookAhead
from tests.service.engine.spy import Tensors, spied
from tests.service.engine.tiny import EVERY_KIND, POISONED, alone, tiny_sessions, tiny_sources
from tests.service.scheduling.remembered_clients import remembered_clients, remembered_requests
from tests.service.scheduling.workers.single_loop import MANY_TURNS, counted, hypotheses_of
from tests.service.tiny_models import FakeClock

NUM_SLOTS = 8
NUM_WORKERS = 2
LIMITS = AdmissionLimits(max_queued_jobs=12, max_queued_tokens=200)
CLIENTS = (INTERNAL_CLIENT, Client(name="light", weight=0.25), Client(name="heavy", weight=4.0))
NARROW = Client(name="narrow", max_queued_jobs=2)
REQUESTS = (Request(), Request(), Request(num_sentences=40), Request(num_sentences=40))
sources = st.sampled_from([*tiny_sources(8), POISONED])
workers = st.integers(0, NUM_WORKERS - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A job that was accepted."""

    future: Future[JobResult]
    job: Job


class SchedulerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock, self.metrics = FakeClock(), Metrics()
        self.queue = AdmissionQueue(LIMITS, self.metrics, self.clock)
        self.flights = SingleFlight(self.queue, SharingOptions(), self.metrics, self.clock)
        sessions, self.decoder = spied(tiny_sessions())
        self.workers = [
            Dispatcher(
                LocalEngine(sessions, num_slots=NUM_SLOTS, clock=self.clock),
                self.queue,
                self.metrics,
                look_ahead=LookAhead(num_jobs=8, num_tokens=64, num_jobs_contested=2),
                clock=self.clock,
                wait_s=0.0,
            )
            for _ in range(NUM_WORKERS)
        ]
        self.jobs: list[Submitted] = []
        self.ends: list[Future[JobResult]] = []
        self.num_breakdowns = 0
        self.is_draining = False

    @rule(
        source_ids=sources,
        options=st.sampled_from(EVERY_KIND),
        client=st.sampled_from([*CLIENTS, NARROW]),
        request=st.sampled_from(REQUESTS),
        is_continued=st.booleans(),
    )
    def submit(
        self,
        source_ids: tuple[int, ...],
        options: DecodeOptions,
        client: Client,
        request: Request,
        is_continued: bool,
    ) -> None:
        job = Job(
            source_ids=source_ids,
            options=options,
            client=client,
            request=request,
            is_continued=is_continued,
        )
        depth = counted(self.metrics, "queue_depth")
        try:
            future = self.flights.submit(job)
        except ShuttingDownError:
            assert self.is_draining
        except OverloadedError:
            assert depth >= 1
            assert not is_continued
        else:
            assert not self.is_draining
            future.add_done_callback(self.ends.append)
            self.jobs.append(Submitted(future=future, job=job))

    @precondition(lambda self: self.jobs)
    @rule(choice=st.integers(0, 99))
    def cancel(self, choice: int) -> None:
        self.jobs[-1 - choice % len(self.jobs)].future.cancel()

    @rule(elapsed_s=st.integers(1, 10))
    def wait(self, elapsed_s: int) -> None:
        self.clock.now_s += elapsed_s

    @rule(number=workers, count=st.integers(1, 12))
    def iterate(self, number: int, count: int) -> None:
        for _ in range(count):
            self.workers[number].iterate()

    @rule(number=workers)
    def break_down(self, number: int) -> None:
        """One turn in which a decoder fails, if it has anything to decode."""
        self.decoder.before = self.fail
        self.workers[number].iterate()
        self.decoder.before = None

    def fail(self, _: Tensors) -> None:
        self.num_breakdowns += 1
        raise RuntimeError("the graph broke down")

    @rule(chance=st.integers(0, 9))
    def drain(self, chance: int) -> None:
        """Seldom, for nothing is accepted from then on."""
        if chance == 0:
            self.is_draining = True
            self.flights.close()
            self.queue.close()

    @invariant()
    def every_end_is_the_only_one(self) -> None:
        assert len(self.ends) == len(set(self.ends))
        assert set(self.ends) == {one.future for one in self.jobs if one.future.done()}

    @invariant()
    def every_end_is_a_right_one(self) -> None:
        for one in self.jobs:
            if one.future.done() and not one.future.cancelled():
                self.check_end(one)

    def check_end(self, one: Submitted) -> None:
        error = one.future.exception()
        if error is None:
            assert hypotheses_of(one.future) == alone(one.job.source_ids, one.job.options)
        else:
            assert isinstance(error, TranslationFailedError)
            # A run that was joined may have broken down before this job came.
            assert one.job.source_ids == POISONED or self.num_breakdowns >= 1

    @invariant()
    def what_is_counted_adds_up(self) -> None:
        num_unfinished = sum(not one.future.done() for one in self.jobs)
        assert 0 <= counted(self.metrics, "slots_in_use") <= NUM_SLOTS * NUM_WORKERS
        assert 0 <= counted(self.metrics, "queue_depth") <= num_unfinished
        assert len(remembered_clients(self.queue)) <= len(CLIENTS) + 1

    def teardown(self) -> None:
        self.finish(lambda: not self.queue.is_busy)
        for worker in self.workers:
            worker.iterate()  # drops the job cancelled last
            assert worker.is_idle
        assert all(one.future.done() for one in self.jobs), "accepted, so answered"
        self.every_end_is_the_only_one()
        self.every_end_is_a_right_one()
        for gauge in ("slots_in_use", "queue_depth"):
            assert counted(self.metrics, gauge) == 0
        self.clock.now_s += 2 * RECENTLY_S
        assert not self.queue.is_contested
        assert remembered_clients(self.queue) == set()
        assert remembered_requests(self.queue) == set()
        assert self.queue.clear() == []

    def finish(self, is_done: Callable[[], bool]) -> None:
        for number in range(MANY_TURNS):
            if is_done():
                return
            self.workers[number % NUM_WORKERS].iterate()
        pytest.fail(f"still not done after {MANY_TURNS} turns")


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(max_examples=40, stateful_step_count=30)
