"""Single flight: equal jobs share one run, cached results need none, deadlines end any of them."""

import asyncio
import sys
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from service.engine.search.options import DecodeOptions, Hypothesis
from service.errors import DeadlineExceededError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.deadline import deadline
from service.scheduling.job import Entry, Job, JobResult
from service.scheduling.queue import AdmissionQueue

ResultKey = tuple[tuple[int, ...], DecodeOptions]
"""All that a result depends on within one bundle: source ids and decoding options."""

_Hypotheses = tuple[Hypothesis, ...]

_INTEGER_BYTES = 8 + sys.getsizeof(1 << 20)
_FLOAT_BYTES = 8 + sys.getsizeof(0.5)
"""A number and the pointer to it."""
_HYPOTHESIS_BYTES = sys.getsizeof(
    Hypothesis(target_ids=(), token_log_probs=(), finish_reason="stop", has_ended=True, score=0.5)
) + 2 * sys.getsizeof(())
_CANDIDATE_BYTES = 2 * sys.getsizeof((None,) * 7) + 4 * _FLOAT_BYTES
"""Of a trace: with its share of a step's tuple, which has at least one."""
_RESULT_BYTES = 800
"""Fixed cost of a result: its options, its tuples, its entry in the dictionary."""


class ResultCache:
    """Least recently used results of one bundle; not safe between threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._results: OrderedDict[ResultKey, _Hypotheses] = OrderedDict()
        self.num_bytes = 0
        """Memory of all cached results, estimated."""

    def __len__(self) -> int:
        return len(self._results)

    def find(self, key: ResultKey) -> _Hypotheses | None:
        """The cached result of `key`, which becomes the most recently used."""
        found = self._results.get(key)
        if found is not None:
            self._results.move_to_end(key)
        return found

    def add(self, key: ResultKey, hypotheses: _Hypotheses) -> None:
        """Cache a result and evict the least recently used; one over the bound is not cached."""
        size = size_of(key, hypotheses)
        if size > self._max_bytes:
            return
        self._remove(key)
        while self.num_bytes + size > self._max_bytes:
            self._remove(next(iter(self._results)))
        self._results[key] = hypotheses
        self.num_bytes += size

    def _remove(self, key: ResultKey) -> None:
        if (hypotheses := self._results.pop(key, None)) is not None:
            self.num_bytes -= size_of(key, hypotheses)


def size_of(key: ResultKey, hypotheses: _Hypotheses) -> int:
    """Bytes of a result with its key, rounded up where unsure."""
    source_ids, options = key
    num_ids = len(source_ids) + len(options.prefix_ids) + sum(len(h.target_ids) for h in hypotheses)
    num_scores = sum(len(h.token_log_probs) for h in hypotheses)
    num_candidates = sum(len(s) for h in hypotheses if h.trace for s in h.trace.steps)
    return (
        _RESULT_BYTES
        + _INTEGER_BYTES * num_ids
        + _FLOAT_BYTES * num_scores
        + _HYPOTHESIS_BYTES * len(hypotheses)
        + _CANDIDATE_BYTES * num_candidates
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingOptions:
    """Which jobs need no run of their own."""

    shares_runs: bool = True
    """Whether jobs equal to one that is running or queued wait for its result."""
    cache_bytes: int = 0
    """Memory for the result cache; 0 disables it."""


@dataclass(eq=False, slots=True, kw_only=True)
class Flight:
    """A run and the futures that it will answer; compared and hashed by identity."""

    key: ResultKey
    entry: Entry
    waiting: set[Future[JobResult]]

    def serves(self, job: Job) -> bool:
        """Whether an equal job ends as soon here as in a run of its own.

        A queued run takes its turn among the jobs of its own client and request: joined from
        another client, or by a short request from a long one, it could wait behind all that was
        queued there before.
        """
        queued = self.entry.job
        return self.entry.admitted_s > 0 or (
            queued.client == job.client and (job.request.is_long or not queued.request.is_long)
        )


class SingleFlight:
    """Merges equal jobs in front of a queue; safe between threads.

    Every job has a future of its own. Cancelling it takes the job out of the run; the run itself is
    cancelled with the last of its jobs.
    """

    def __init__(
        self, queue: AdmissionQueue, options: SharingOptions, metrics: Metrics, clock: Clock
    ) -> None:
        self._queue = queue
        self._options = options
        self._metrics = metrics
        self._clock = clock
        self._cache = ResultCache(options.cache_bytes) if options.cache_bytes else None
        self._lock = threading.Lock()
        self._joinable: dict[ResultKey, Flight] = {}
        # By the futures of their runs, whose callbacks then hold no flight: that would be a cycle.
        self._flights: dict[Future[JobResult], Flight] = {}
        self._is_open = True

    async def run(self, job: Job) -> JobResult:
        """Wait for the result of a job, until its deadline at the longest.

        The only place where a deadline ends a job. It belongs to the event loop, so a deadline is
        kept whatever the workers do; to them it is a cancelled job like any other.

        Raises:
            OverloadedError, ShuttingDownError: A run was needed, and not accepted.
            DeadlineExceededError: The deadline passed first.
            TranslationFailedError: The model failed on this job.
        """
        timeout_s = None if job.deadline_s is None else max(0.0, job.deadline_s - self._clock())
        future = self.submit(job)
        try:
            async with deadline(timeout_s, "the deadline passed before the translation"):
                return await asyncio.wrap_future(future)
        except (asyncio.CancelledError, DeadlineExceededError) as error:
            if future.cancel():
                self._count_cancelled(error)
            raise

    def submit(self, job: Job) -> Future[JobResult]:
        """Answer a job from the cache, or let it join a run, or start a run.

        Raises:
            OverloadedError, ShuttingDownError: A run was needed, and not accepted.
        """
        key = (job.source_ids, job.options)
        future: Future[JobResult] = Future()
        with self._lock:
            may_share = self._is_open and not job.must_run
            if may_share and (cached := self._cached(key)):
                future.set_result(cached)
                return future
            flight = self._join(key, job, future) if may_share else None
            flight = flight or self._begin(key, job, future)
        future.add_done_callback(partial(self._on_left, flight))
        return future

    def close(self) -> None:
        """Stop sharing: every later job reaches the queue, which refuses it once closed."""
        with self._lock:
            self._is_open = False

    def _cached(self, key: ResultKey) -> JobResult | None:
        if self._cache is None:
            return None
        hypotheses = self._cache.find(key)
        if hypotheses is None:
            self._metrics.cache_misses.inc()
            return None
        self._metrics.cache_hits.inc()
        return JobResult(hypotheses=hypotheses, queue_s=0.0, encode_s=0.0, decode_s=0.0)

    def _join(self, key: ResultKey, job: Job, future: Future[JobResult]) -> Flight | None:
        flight = self._joinable.get(key)
        if flight is None or not flight.serves(job):
            return None
        flight.waiting.add(future)
        self._metrics.shared_runs.inc()
        return flight

    def _begin(self, key: ResultKey, job: Job, future: Future[JobResult]) -> Flight:
        flight = Flight(key=key, entry=Entry(job=job, submitted_s=self._clock()), waiting={future})
        run = flight.entry.future
        # Registered before the queue's own callback, so that a queue that is no longer busy has
        # answered every job.
        run.add_done_callback(self._on_ended)
        self._queue.add(flight.entry)
        self._flights[run] = flight
        if self._options.shares_runs:
            self._joinable[key] = flight
        return flight

    def _forget(self, flight: Flight) -> None:
        if self._joinable.get(flight.key) is flight:
            del self._joinable[flight.key]

    def _on_ended(self, run: Future[JobResult]) -> None:
        error = None if run.cancelled() else run.exception()
        with self._lock:
            flight = self._flights.pop(run)
            self._forget(flight)
            waiting, flight.waiting = flight.waiting, set()
            if self._cache is not None and not (run.cancelled() or error):
                self._cache.add(flight.key, run.result().hypotheses)
        for future in waiting:
            if not future.set_running_or_notify_cancel():
                continue
            if error:
                future.set_exception(error)
            else:
                future.set_result(run.result())

    def _on_left(self, flight: Flight, future: Future[JobResult]) -> None:
        with self._lock:
            if future not in flight.waiting:
                return  # answered, or about to be
            flight.waiting.remove(future)
            if is_last := not flight.waiting:
                self._forget(flight)
        future.set_running_or_notify_cancel()
        if is_last:
            flight.entry.future.cancel()

    def _count_cancelled(self, error: BaseException) -> None:
        is_late = isinstance(error, DeadlineExceededError)
        self._metrics.cancelled.labels(reason="deadline" if is_late else "client").inc()
        if is_late:
            self._metrics.finish.labels(reason="deadline").inc()
