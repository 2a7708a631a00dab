"""Engines that follow the requests, in this process."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from service.engine.prefill import DecodeRequest
from service.errors import StartupError, TranslationFailedError
from service.observability.metrics import Metrics
from service.scheduling.job import Entry, JobResult
from service.scheduling.limits import AdmissionLimits, Client, Request
from service.scheduling.queue import AdmissionQueue
from service.scheduling.scheduler import (
    EnginesElsewhere,
    Scheduler,
    SchedulerOptions,
)
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.engine_client import EngineClient, EngineDiedError
from service.scheduling.workers.engine_pool import EnginePool
from service.scheduling.workers.local_engine import LocalEngine
from service.scheduling.workers.scaling import EngineScaler, ScalingOptions
from tests.service.engine.tiny import GREEDY, POISONED, alone, tiny_sessions, tiny_sources
from tests.service.scheduling.workers.single_loop import counted, job_of
from tests.service.tiny_models import FakeClock
from tests.service.waiting import eventually

PATIENCE_S = 60
OPTIONS = ScalingOptions(
    min_engines=1, max_engines=3, requests_per_engine=1, upscale_delay_s=5, downscale_delay_s=5
)


class FragileEngine(LocalEngine):
    """Dies whenever it gets one sentence."""

    def submit(self, requests: Sequence[DecodeRequest[int]], *, is_urgent: bool = False) -> None:
        if any(request.source_ids == POISONED for request in requests):
            raise EngineDiedError("its machine has gone")
        super().submit(requests, is_urgent=is_urgent)


class LateEngine(LocalEngine):
    """Has no place before the test gives it one."""

    def __init__(self, has_place: threading.Event) -> None:
        super().__init__(tiny_sessions(), num_slots=8)
        self._has_place = has_place
        self._is_wanted = True

    def start(self) -> None:
        while not self._has_place.wait(0.01):
            if not self._is_wanted:
                raise StartupError("it is no longer wanted")

    def give_up(self) -> None:
        self._is_wanted = False


@dataclass(slots=True, kw_only=True)
class Pool:
    """A pool that the test resizes."""

    clock: FakeClock = field(default_factory=FakeClock)
    metrics: Metrics = field(default_factory=Metrics)
    num_requests: int = 0
    has_place: threading.Event = field(default_factory=threading.Event)
    queue: AdmissionQueue = field(init=False)
    pool: EnginePool = field(init=False)
    scaler: EngineScaler = field(init=False)

    def __post_init__(self) -> None:
        self.queue = AdmissionQueue(AdmissionLimits(), self.metrics)
        self.pool = EnginePool(self._create, max_engines=OPTIONS.max_engines)
        self.scaler = EngineScaler(self.pool, OPTIONS, lambda: self.num_requests, self.clock)

    def _create(self, number: int) -> Dispatcher:
        return Dispatcher(LateEngine(self.has_place), self.queue, self.metrics, number=number)

    def resize(self, num_requests: int) -> int:
        """How many engines there are once the delay is over."""
        self.num_requests = num_requests
        self.scaler.resize()
        self.clock.now_s += 5
        self.scaler.resize()
        return self.pool.num_engines

    @property
    def num_serving(self) -> int:
        return sum(dispatcher.is_serving for dispatcher in self.pool.dispatchers)


@pytest.fixture
def elastic() -> Iterator[Pool]:
    elastic = Pool()
    elastic.scaler.resize()  # without the thread, which would resize by itself
    yield elastic
    elastic.pool.close()


def submitted(queue: AdmissionQueue, source: tuple[int, ...]) -> Entry:
    entry = Entry(job=job_of(source), submitted_s=0.0)
    queue.add(entry)
    return entry


def test_engines_follow_the_requests(elastic: Pool) -> None:
    elastic.has_place.set()
    assert [elastic.resize(n) for n in (0, 1, 2, 9, 2, 0)] == [1, 1, 2, 3, 2, 1]


def test_jobs_wait_for_an_engine_that_has_no_place_yet(elastic: Pool) -> None:
    entry = submitted(elastic.queue, tiny_sources()[0])
    assert (elastic.num_serving, entry.future.done()) == (0, False)
    elastic.has_place.set()
    result: JobResult = entry.future.result(timeout=PATIENCE_S)
    assert result.hypotheses == alone(tiny_sources()[0], GREEDY)
    assert elastic.num_serving == 1
    assert counted(elastic.metrics, "engine_restarts_total") == 0


def test_an_engine_finishes_what_it_has_before_it_goes(elastic: Pool) -> None:
    elastic.has_place.set()
    elastic.resize(3)
    eventually(lambda: elastic.num_serving == 3)
    num_threads = threading.active_count()
    sources = tiny_sources() * 10
    entries = [submitted(elastic.queue, source) for source in sources]
    elastic.resize(0)
    found = [entry.future.result(timeout=PATIENCE_S).hypotheses for entry in entries]
    assert found == [alone(source, GREEDY) for source in sources]
    eventually(lambda: threading.active_count() == num_threads - 2)
    late = submitted(elastic.queue, sources[0]).future.result(timeout=PATIENCE_S)
    assert late.hypotheses == found[0]


def test_a_job_may_lose_several_engines_elsewhere() -> None:
    metrics = Metrics()
    elsewhere = EnginesElsewhere(
        create=lambda _: FragileEngine(tiny_sessions(), num_slots=8), scaling=ScalingOptions()
    )
    scheduler = Scheduler(tiny_sessions(), SchedulerOptions(elsewhere=elsewhere), metrics)
    scheduler.start()
    try:
        poisoned = scheduler.submit(job_of(POISONED))
        others = [scheduler.submit(job_of(source)) for source in tiny_sources()[:3]]
        with pytest.raises(TranslationFailedError):
            poisoned.result(timeout=PATIENCE_S)
        found = [other.result(timeout=PATIENCE_S).hypotheses for other in others]
    finally:
        scheduler.close()
    assert found == [alone(source, GREEDY) for source in tiny_sources()[:3]]
    assert counted(metrics, "engine_restarts_total") == 4
    assert counted(metrics, "lost_calls_total") >= 4


def test_a_scheduler_with_engines_elsewhere_follows_its_requests() -> None:
    created: list[EngineClient] = []
    has_place = threading.Event()

    def create(_: object) -> EngineClient:
        created.append(LateEngine(has_place))
        return created[-1]

    scaling = ScalingOptions(
        max_engines=2, requests_per_engine=1, upscale_delay_s=0, downscale_delay_s=60
    )
    options = SchedulerOptions(elsewhere=EnginesElsewhere(create=create, scaling=scaling))
    scheduler = Scheduler(tiny_sessions(), options, Metrics())
    scheduler.start()
    try:
        assert not scheduler.is_alive(10)
        for source in tiny_sources()[:3]:
            scheduler.submit(replace(job_of(source), client=Client(name="a"), request=Request()))
        eventually(lambda: len(created) == 2)
        has_place.set()
        eventually(lambda: not scheduler.is_busy)
        assert scheduler.is_alive(10)
    finally:
        scheduler.close()
