"""The scheduler of one model: a bounded queue, and workers that decode from it continuously."""

import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from service.engine.graphs.sessions import Sessions
from service.engine.search.options import MAX_BEAM_SIZE
from service.errors import ShuttingDownError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.job import Job, JobResult
from service.scheduling.limits import AdmissionLimits
from service.scheduling.queue import AdmissionQueue
from service.scheduling.single_flight import SharingOptions, SingleFlight
from service.scheduling.workers.decode_loop import DecodeLoop


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerOptions:
    """How many jobs run and wait at once."""

    num_workers: int = 1
    """Threads that decode, one batch each."""
    slots_per_worker: int = 32
    """Rows of a worker's batch; a sentence takes as many as its beam is wide."""
    encoder_tokens_per_turn: int = 256
    """Source tokens that a worker encodes between two steps of a running batch."""
    client_share: float = 0.25
    """Share of a worker's slots for each client while several are active. A step takes longer the
    more rows it has, so a single sentence waits for all rows of the other clients."""
    limits: AdmissionLimits = field(default_factory=AdmissionLimits)
    sharing: SharingOptions = field(default_factory=SharingOptions)


class Scheduler:
    """Runs the jobs of one model."""

    def __init__(
        self,
        sessions: Sessions,
        options: SchedulerOptions,
        metrics: Metrics,
        clock: Clock = time.monotonic,
    ) -> None:
        """Allocate the workers' caches; nothing runs before `start`.

        Raises:
            ValueError: Fewer slots per worker than the widest beam needs.
        """
        if options.slots_per_worker < MAX_BEAM_SIZE:
            raise ValueError(
                f"slots_per_worker is {options.slots_per_worker}; the widest beam needs "
                f"{MAX_BEAM_SIZE}"
            )
        self._clock = clock
        self._queue = AdmissionQueue(options.limits, metrics, clock)
        self._flights = SingleFlight(self._queue, options.sharing, metrics, clock)
        self._workers = [
            DecodeLoop(
                sessions,
                self._queue,
                metrics,
                num_slots=options.slots_per_worker,
                max_encoder_tokens=options.encoder_tokens_per_turn,
                client_share=options.client_share,
                clock=clock,
            )
            for _ in range(options.num_workers)
        ]

    def start(self) -> None:
        """Start the workers."""
        for worker in self._workers:
            worker.start()

    async def run(self, job: Job) -> JobResult:
        """Queue a job and wait for its result, until its deadline at the longest.

        Raises:
            OverloadedError, ShuttingDownError: The job was not accepted.
            DeadlineExceededError: The deadline passed first.
            TranslationFailedError: The model failed on this job.
        """
        return await self._flights.run(job)

    def submit(self, job: Job) -> Future[JobResult]:
        """Queue a job without regard to its deadline, from any thread.

        The job may share the run of an equal one, or be answered from the result cache. Cancelling
        the future cancels the job at the next decoding step. The future ends with
        `TranslationFailedError` where the model fails on this job.

        Raises:
            OverloadedError, ShuttingDownError: The job was not accepted.
        """
        return self._flights.submit(job)

    @property
    def is_busy(self) -> bool:
        """Whether an accepted job has not ended."""
        return self._queue.is_busy

    def is_alive(self, heartbeat_timeout_s: float) -> bool:
        """Whether every worker had a heartbeat within the last `heartbeat_timeout_s` seconds."""
        now_s = self._clock()
        return all(now_s - worker.heartbeat_s <= heartbeat_timeout_s for worker in self._workers)

    def close(self) -> None:
        """Stop the workers; every unfinished job ends with `ShuttingDownError`."""
        self._flights.close()
        self._queue.close()
        for worker in self._workers:
            worker.stop()
        for entry in self._queue.clear():
            if entry.future.set_running_or_notify_cancel():
                entry.future.set_exception(ShuttingDownError("the service was stopped"))
