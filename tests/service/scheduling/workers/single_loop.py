"""A queue and one decode loop that the test iterates, on a fake clock."""

from concurrent.futures import Future
from dataclasses import dataclass

from service.engine.search.options import DecodeOptions, Hypothesis
from service.observability.metrics import Metrics
from service.scheduling.attend_queue import AttendQueue
from service.scheduling.job import Entry, Job, JobResult
from service.scheduling.limits import AdmissionLimits
from service.scheduling.queue import AdmissionQueue
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.local_engine import LocalEngine
from service.scheduling.workers.look_ahead import LookAhead
from tests.service.engine.spy import DecoderSpy, spied
from tests.service.engine.tiny import GREEDY, alone, tiny_sessions
from tests.service.tiny_models import FakeClock

MANY_TURNS = 10_000


def job_of(
    source_ids: tuple[int, ...], options: DecodeOptions = GREEDY, deadline_s: float | None = None
) -> Job:
    return Job(source_ids=source_ids, options=options, deadline_s=deadline_s)


def hypotheses_of(future: Future[JobResult]) -> tuple[Hypothesis, ...]:
    """What an ended job gave; waits for nothing."""
    return future.result(timeout=0).hypotheses


def assert_translated(future: Future[JobResult], source_ids: tuple[int, ...]) -> None:
    """A greedy job has ended with what the sentence gives alone."""
    assert hypotheses_of(future) == alone(source_ids, GREEDY)


def counted(metrics: Metrics, metric: str, /, **labels: str) -> float:
    """Value of a metric; 0 if nothing was counted yet."""
    return metrics.registry.get_sample_value(f"pellucid_{metric}", labels) or 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleLoop:
    """All parts of a scheduler except threads."""

    clock: FakeClock
    metrics: Metrics
    queue: AdmissionQueue
    attends: AttendQueue
    worker: Dispatcher
    decoder: DecoderSpy

    @classmethod
    def create(cls, *, num_slots: int = 8, look_ahead: LookAhead | None = None) -> "SingleLoop":
        clock, metrics = FakeClock(), Metrics()
        queue = AdmissionQueue(AdmissionLimits(), metrics, clock)
        attends = AttendQueue()
        sessions, decoder = spied(tiny_sessions())
        worker = Dispatcher(
            LocalEngine(sessions, num_slots=num_slots, clock=clock),
            queue,
            metrics,
            attends=attends,
            look_ahead=look_ahead,
            clock=clock,
            wait_s=0.0,
        )
        return cls(
            clock=clock,
            metrics=metrics,
            queue=queue,
            attends=attends,
            worker=worker,
            decoder=decoder,
        )

    def submit(
        self,
        source_ids: tuple[int, ...],
        options: DecodeOptions = GREEDY,
    ) -> Future[JobResult]:
        return self.add(job_of(source_ids, options))

    def add(self, job: Job) -> Future[JobResult]:
        entry = Entry(job=job, submitted_s=self.clock.now_s)
        self.queue.add(entry)
        return entry.future

    def iterate(self, count: int = 1) -> None:
        for _ in range(count):
            self.worker.iterate()

    def run(self) -> None:
        """Take turns until everything has ended."""
        for _ in range(MANY_TURNS):
            if not self.queue.is_busy:
                return
            self.worker.iterate()
        raise AssertionError(f"still not done after {MANY_TURNS} turns")

    def counted(self, metric: str, /, **labels: str) -> float:
        return counted(self.metrics, metric, **labels)

    @property
    def slots_in_use(self) -> float:
        return self.counted("slots_in_use")
