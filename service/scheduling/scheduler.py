"""The scheduler of one model: a bounded queue, and workers that decode from it continuously."""

import asyncio
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from service.engine.graphs.sessions import Sessions
from service.engine.inspection import PairOutputs
from service.engine.search.options import MAX_BEAM_SIZE
from service.errors import ShuttingDownError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.attend_queue import Attend, AttendQueue
from service.scheduling.fair_turns import CHARS_OF_A_JOB, FairTurns
from service.scheduling.job import Job, JobResult
from service.scheduling.limits import AdmissionLimits
from service.scheduling.queue import AdmissionQueue
from service.scheduling.single_flight import SharingOptions, SingleFlight
from service.scheduling.workers.attend_feed import end_with
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.engine_client import EngineClient, EngineFactory
from service.scheduling.workers.engine_pool import EnginePool
from service.scheduling.workers.local_engine import LocalEngine
from service.scheduling.workers.look_ahead import LookAhead
from service.scheduling.workers.process_engine import ProcessEngine, ProcessOptions
from service.scheduling.workers.scaling import EngineScaler, ScalingOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginesElsewhere:
    """Engines that this machine does not have, as many as the load needs."""

    create: EngineFactory
    scaling: ScalingOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerOptions:
    """How many jobs run and wait at once."""

    num_engines: int = 0
    """Processes that decode at most, one batch each; 0: threads of this process do."""
    num_workers: int = 1
    """Threads that decode where there are no engine processes."""
    elsewhere: EnginesElsewhere | None = None
    """Where given, no engine is on this machine."""
    engine_timeout_s: float = 60.0
    """An engine process that is silent for so long is killed and replaced; 0: never."""
    slots_per_worker: int = 32
    """Rows of a worker's batch; a sentence takes as many as its beam is wide."""
    look_ahead: LookAhead = field(default_factory=LookAhead)
    client_share: float = 0.25
    """Share of a worker's slots for each client while several are active, and for the long requests
    of a client while it has short ones. A step takes longer the more rows it has, so a single
    sentence waits for all rows of the others."""
    limits: AdmissionLimits = field(default_factory=AdmissionLimits)
    sharing: SharingOptions = field(default_factory=SharingOptions)

    @property
    def num_batches(self) -> int:
        """Batches that are decoded side by side: one per engine, or per thread without engines."""
        if self.elsewhere is not None:
            return self.elsewhere.scaling.max_engines
        return self.num_engines or self.num_workers

    @property
    def decodes_here(self) -> bool:
        """Whether threads of this process decode."""
        return not self.num_engines and self.elsewhere is None


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
        self._is_started = False
        self._queue = AdmissionQueue(options.limits, metrics, clock)
        self._attends = AttendQueue()
        self._flights = SingleFlight(self._queue, options.sharing, metrics, clock)
        self._turns = FairTurns()
        self._sessions = sessions
        self._options = options
        self._metrics = metrics
        self._pool = EnginePool(self._dispatcher, max_engines=options.num_batches)
        self._scaler = self._new_scaler()
        if options.decodes_here:
            self._pool.create(options.num_workers)

    def _new_scaler(self) -> EngineScaler | None:
        elsewhere = self._options.elsewhere
        if elsewhere is None:
            return None
        return EngineScaler(
            self._pool, elsewhere.scaling, lambda: self._queue.num_requests, self._clock
        )

    def create_engines(self, num_engines: int | None = None) -> None:
        """Make the first engines, and begin to start them without waiting; by default all.

        How many there are elsewhere is not decided here.
        """
        if not self._is_started and self._scaler is None:
            self._pool.create(self.max_engines if num_engines is None else num_engines)
            self._pool.launch()

    def start(self) -> None:
        """Start the engines, side by side; a second call does nothing.

        Does not wait for engines elsewhere.

        Raises:
            StartupError: One of them cannot start.
        """
        if self._is_started:
            return
        if self._scaler is not None:
            self._scaler.start()
        else:
            self._start_here()
        self._is_started = True

    def _start_here(self) -> None:
        if not self._pool.num_engines:
            self.create_engines()
        self._pool.start()

    @property
    def num_engines(self) -> int:
        """Engines that there are, the starting ones included; threads count as well."""
        return self._pool.num_engines

    @property
    def max_engines(self) -> int:
        """Engines that there may be."""
        return self._pool.max_engines

    @property
    def slots_per_engine(self) -> int:
        """Rows that an engine decodes side by side."""
        return self._options.slots_per_worker

    @property
    def slots_wanted(self) -> int:
        """Rows that all accepted and unfinished jobs need."""
        return self._queue.slots_wanted

    def add_engine(self) -> bool:
        """Begin to start one more; returns whether there was room for it."""
        return self._pool.add()

    def retire_engine(self) -> None:
        """Let one end when it has finished what it has; the last one stays."""
        self._pool.retire()

    async def run(self, job: Job) -> JobResult:
        """Queue a job and wait for its result, until its deadline at the longest.

        Raises:
            OverloadedError, ShuttingDownError: The job was not accepted.
            DeadlineExceededError: The deadline passed first.
            TranslationFailedError: The model failed on this job.
        """
        if job.request.is_long:
            await self._turns.take(job.client, CHARS_OF_A_JOB)
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

    async def attend(self, attend: Attend) -> tuple[PairOutputs, ...]:
        """Let an engine inspect finished pairs, and wait for what was wanted of them.

        Cancelling the caller cancels the pass.

        Raises:
            ShuttingDownError: It was not accepted, or not finished in time.
            TranslationFailedError: The model failed on these pairs.
        """
        self._attends.add(attend)
        return await asyncio.wrap_future(attend.future)

    @property
    def replaces_engines(self) -> bool:
        """Whether an engine that hangs is ended and started anew: all but a thread."""
        return not self._options.decodes_here

    @property
    def is_busy(self) -> bool:
        """Whether an accepted job has not ended."""
        return self._queue.is_busy

    def is_alive(self, heartbeat_timeout_s: float) -> bool:
        """Whether jobs end: engines were heard of within the last `heartbeat_timeout_s` seconds.

        One of them is enough where the others are replaced; threads are not, so all must be well.
        """
        now_s = self._clock()
        are_alive = [
            dispatcher.is_serving and now_s - dispatcher.heartbeat_s <= heartbeat_timeout_s
            for dispatcher in self._pool.dispatchers
        ]
        return any(are_alive) if self.replaces_engines else all(are_alive)

    def close(self) -> None:
        """Stop the workers; every unfinished job ends with `ShuttingDownError`."""
        self._flights.close()
        self._queue.close()
        self._attends.close()
        if self._scaler is not None:
            self._scaler.close()
        self._pool.close()
        while (attend := self._attends.take()) is not None:
            end_with(attend, ShuttingDownError("the service was stopped"))
        for entry in self._queue.clear():
            if entry.future.set_running_or_notify_cancel():
                entry.future.set_exception(ShuttingDownError("the service was stopped"))

    def _dispatcher(self, number: int) -> Dispatcher:
        options = self._options
        return Dispatcher(
            self._engine(),
            self._queue,
            self._metrics,
            attends=self._attends,
            look_ahead=options.look_ahead,
            client_share=options.client_share,
            clock=self._clock,
            number=number,
        )

    def _engine(self) -> EngineClient:
        options = self._options
        if options.elsewhere is not None:
            return options.elsewhere.create(self._sessions.bundle)
        if not options.num_engines:
            return LocalEngine(self._sessions, num_slots=options.slots_per_worker)
        process = ProcessOptions(
            num_slots=options.slots_per_worker,
            num_threads=self._sessions.num_threads,
            max_silence_s=options.engine_timeout_s,
        )
        return ProcessEngine(self._sessions.bundle, process)
