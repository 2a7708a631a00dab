"""An admission queue on a fake clock, with short ways to add and take jobs."""

from concurrent.futures import Future
from dataclasses import dataclass, field

from service.engine.search.options import DecodeOptions
from service.errors import OverloadedError
from service.observability.metrics import Metrics
from service.scheduling.batching_policy import BatchCapacity
from service.scheduling.job import Entry, Job, JobResult
from service.scheduling.limits import (
    INTERNAL_CLIENT,
    INTERNAL_REQUEST,
    AdmissionLimits,
    Client,
    Request,
)
from service.scheduling.queue import AdmissionQueue
from tests.service.scheduling.workers.single_loop import counted
from tests.service.tiny_models import FakeClock

RESULT = JobResult(hypotheses=(), queue_s=0, encode_s=0, decode_s=0)
SMALL = AdmissionLimits(max_queued_jobs=4, max_queued_tokens=20)
WIDE = AdmissionLimits(max_queued_jobs=100, max_queued_tokens=1000)
ANNA, BERT, CARL = (Client(name=name) for name in ("anna", "bert", "carl"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """An admission queue on a fake clock."""

    limits: AdmissionLimits = SMALL
    clock: FakeClock = field(default_factory=FakeClock)
    metrics: Metrics = field(default_factory=Metrics)
    queue: AdmissionQueue = field(init=False)

    def __post_init__(self) -> None:
        queue = AdmissionQueue(self.limits, self.metrics, self.clock)
        object.__setattr__(self, "queue", queue)

    def submit(
        self,
        num_tokens: int = 1,
        *,
        beam_size: int = 1,
        client: Client = INTERNAL_CLIENT,
        request: Request = INTERNAL_REQUEST,
        is_continued: bool = False,
    ) -> Future[JobResult]:
        job = Job(
            source_ids=tuple(range(num_tokens)),
            options=DecodeOptions(beam_size=beam_size),
            client=client,
            request=request,
            is_continued=is_continued,
        )
        entry = Entry(job=job, submitted_s=self.clock.now_s)
        self.queue.add(entry)
        return entry.future

    def fill(self, client: Client, num_tokens: int = 1) -> int:
        """Submit for a client until it is refused; how many were accepted."""
        for number in range(10_000):
            try:
                self.submit(num_tokens, client=client)
            except OverloadedError:
                return number
        raise AssertionError("a queue without a bound")

    def take(
        self, free_slots: int = 99, *, max_tokens: int = 10_000, is_idle: bool = True
    ) -> list[Future[JobResult]]:
        capacity = BatchCapacity(free_slots=free_slots, max_tokens=max_tokens)
        return futures_of(self.queue.take(capacity, is_idle=is_idle))

    def take_entries(self, free_slots: int) -> list[Entry]:
        return self.queue.take(
            BatchCapacity(free_slots=free_slots, max_tokens=10_000), is_idle=True
        )

    def serve(self, count: int = 1) -> None:
        """End jobs at the head, one after another."""
        for _ in range(count):
            (entry,) = self.take_entries(1)
            entry.future.set_result(RESULT)

    def depth(self) -> float:
        return counted(self.metrics, "queue_depth")


def futures_of(entries: list[Entry]) -> list[Future[JobResult]]:
    return [entry.future for entry in entries]
