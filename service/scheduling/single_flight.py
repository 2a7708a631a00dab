"""Equal jobs share one run, and a kept result needs none; whoever waits may leave alone."""

import math
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from service.engine.search.options import DecodeOptions, Hypothesis
from service.errors import DeadlineExceededError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.job import Entry, Job, JobResult, deadline_of
from service.scheduling.queue import AdmissionQueue

Key = tuple[tuple[int, ...], DecodeOptions]
"""All that a result depends on within one bundle: source ids and how they are decoded."""

_Hypotheses = tuple[Hypothesis, ...]

_INTEGER_BYTES = 8 + sys.getsizeof(1 << 20)
_FLOAT_BYTES = 8 + sys.getsizeof(0.5)
"""A number and the pointer to it."""
_HYPOTHESIS_BYTES = sys.getsizeof(
    Hypothesis(target_ids=(), token_log_probs=(), finish_reason="stop", has_ended=True, score=0.5)
) + 2 * sys.getsizeof(())
_RESULT_BYTES = 800
"""What a result costs whatever its length: its options, its tuples, its place among the others."""


class ResultCache:
    """The least recently used goes first; not safe between threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._results: OrderedDict[Key, _Hypotheses] = OrderedDict()
        self.num_bytes = 0
        """Memory of all that is kept, estimated from its numbers."""

    def __len__(self) -> int:
        return len(self._results)

    def find(self, key: Key) -> _Hypotheses | None:
        """What was kept for `key`, which is thereby used."""
        found = self._results.get(key)
        if found is not None:
            self._results.move_to_end(key)
        return found

    def add(self, key: Key, hypotheses: _Hypotheses) -> None:
        """Keep a result, in place of the oldest ones; one over the bound is not kept."""
        size = size_of(key, hypotheses)
        if size > self._max_bytes:
            return
        self._remove(key)
        while self.num_bytes + size > self._max_bytes:
            self._remove(next(iter(self._results)))
        self._results[key] = hypotheses
        self.num_bytes += size

    def _remove(self, key: Key) -> None:
        if (hypotheses := self._results.pop(key, None)) is not None:
            self.num_bytes -= size_of(key, hypotheses)


def size_of(key: Key, hypotheses: _Hypotheses) -> int:
    """Bytes that a result takes with its key, rather too many than too few."""
    source_ids, options = key
    num_ids = len(source_ids) + len(options.prefix_ids) + sum(len(h.target_ids) for h in hypotheses)
    num_scores = sum(len(h.token_log_probs) for h in hypotheses)
    return (
        _RESULT_BYTES
        + _INTEGER_BYTES * num_ids
        + _FLOAT_BYTES * num_scores
        + _HYPOTHESIS_BYTES * len(hypotheses)
    )


LEAST_LEFT_S = 0.1
"""Time that a run must have left to be joined: a worker may be giving it up at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingOptions:
    """What runs once for several."""

    shares_runs: bool = True
    """Whether equal jobs that come while one of them runs wait for its result."""
    cache_bytes: int = 0
    """Memory for results that are kept; 0 keeps none."""


@dataclass(eq=False, slots=True, kw_only=True)
class Waiter:
    """One who wants the result of a run; compared and hashed by identity."""

    deadline_s: float
    future: Future[JobResult] = field(default_factory=Future)


@dataclass(eq=False, slots=True, kw_only=True)
class Flight:
    """A run and those who wait for it; compared and hashed by identity."""

    key: Key
    entry: Entry
    waiters: set[Waiter]

    def serves(self, job: Job, now_s: float) -> bool:
        """Whether an equal job does as well here as in a run of its own.

        A run that waits stands in the line of its own client: in another client's line, a job might
        have to wait for all who were there before.
        """
        is_in_time = now_s + LEAST_LEFT_S < self.entry.deadline_s
        return is_in_time and (self.entry.admitted_s > 0 or self.entry.job.client == job.client)

    def outlasts(self, waiter: Waiter) -> bool:
        """Whether the run may go on after the waiter's deadline."""
        return waiter.deadline_s < self.entry.deadline_s


class SingleFlight:
    """Stands before a queue; safe between threads.

    Every job has a future of its own. A run ends at the latest deadline of those who wait for it,
    and is given up when the last of them has left.
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
        self._running: set[Flight] = set()
        self._joinable: dict[Key, Flight] = {}
        # No later than any deadline that comes before its run's: until then nobody is late.
        self._earliest_s = math.inf
        self._is_open = True

    def submit(self, job: Job) -> Future[JobResult]:
        """Find a result, join a run or begin one.

        Raises:
            OverloadedError, ShuttingDownError: A run was needed, and not accepted.
        """
        key = (job.source_ids, job.options)
        waiter = Waiter(deadline_s=deadline_of(job))
        with self._lock:
            may_share = self._is_open and not job.must_run
            if may_share and (kept := self._kept(key)):
                waiter.future.set_result(kept)
                return waiter.future
            flight = self._join(key, job, waiter) if may_share else None
            flight = flight or self._begin(key, job, waiter)
        waiter.future.add_done_callback(lambda _: self._on_left(flight, waiter))
        return waiter.future

    def close(self) -> None:
        """Let the queue decide about every job from now on; it refuses them."""
        with self._lock:
            self._is_open = False

    def expire(self, now_s: float) -> None:
        """Answer those whose deadline has passed while their run goes on for somebody else."""
        if now_s >= self._earliest_s:
            self._answer_late(now_s, Flight.outlasts)

    def expire_all(self, now_s: float) -> None:
        """Answer everybody whose deadline has passed, where no worker comes round to do it."""
        self._answer_late(now_s, lambda _flight, _waiter: True)

    def _kept(self, key: Key) -> JobResult | None:
        if self._cache is None:
            return None
        hypotheses = self._cache.find(key)
        if hypotheses is None:
            self._metrics.cache_misses.inc()
            return None
        self._metrics.cache_hits.inc()
        return JobResult(hypotheses=hypotheses, queue_s=0.0, encode_s=0.0, decode_s=0.0)

    def _join(self, key: Key, job: Job, waiter: Waiter) -> Flight | None:
        flight = self._joinable.get(key)
        if flight is None or not flight.serves(job, self._clock()):
            return None
        entry = flight.entry
        if entry.deadline_s != waiter.deadline_s:
            self._earliest_s = min(self._earliest_s, entry.deadline_s, waiter.deadline_s)
            entry.deadline_s = max(entry.deadline_s, waiter.deadline_s)
        flight.waiters.add(waiter)
        self._metrics.shared_runs.inc()
        return flight

    def _begin(self, key: Key, job: Job, waiter: Waiter) -> Flight:
        flight = Flight(key=key, entry=Entry(job=job, submitted_s=self._clock()), waiters={waiter})
        # Before the queue's own: who waits until the queue is empty finds everybody answered.
        flight.entry.future.add_done_callback(lambda run: self._on_ended(flight, run))
        self._queue.enter(flight.entry)
        self._running.add(flight)
        if self._options.shares_runs:
            self._joinable[key] = flight
        return flight

    def _forget(self, flight: Flight) -> None:
        self._running.discard(flight)
        if self._joinable.get(flight.key) is flight:
            del self._joinable[flight.key]

    def _on_ended(self, flight: Flight, run: Future[JobResult]) -> None:
        error = None if run.cancelled() else run.exception()
        with self._lock:
            self._forget(flight)
            waiters, flight.waiters = flight.waiters, set()
            if self._cache is not None and not (run.cancelled() or error):
                self._cache.add(flight.key, run.result().hypotheses)
        for waiter in waiters:
            if not self._claim(waiter):
                continue
            if error:
                waiter.future.set_exception(error)
            else:
                waiter.future.set_result(run.result())

    def _on_left(self, flight: Flight, waiter: Waiter) -> None:
        with self._lock:
            if waiter not in flight.waiters:
                return  # it was answered, or is just about to be
            flight.waiters.remove(waiter)
            if is_last := not flight.waiters:
                self._forget(flight)
        waiter.future.set_running_or_notify_cancel()
        # Of the last one it is the run that is given up, which the queue or the worker counts.
        if not (is_last and flight.entry.future.cancel()):
            self._metrics.cancelled.labels(reason="client").inc()

    def _answer_late(self, now_s: float, is_ours: Callable[[Flight, Waiter], bool]) -> None:
        with self._lock:
            late = [
                (flight, waiter)
                for flight in self._running
                for waiter in flight.waiters
                if waiter.deadline_s <= now_s and is_ours(flight, waiter)
            ]
            for flight, waiter in late:
                flight.waiters.remove(waiter)
            abandoned = {flight for flight, _ in late if not flight.waiters}
            for flight in abandoned:
                self._forget(flight)
            self._earliest_s = min(_early_deadlines(self._running), default=math.inf)
        for _, waiter in late:
            self._give_up(waiter)
        for flight in abandoned:
            flight.entry.future.cancel()

    def _give_up(self, waiter: Waiter) -> None:
        if self._claim(waiter):
            self._metrics.cancelled.labels(reason="deadline").inc()
            self._metrics.finish.labels(reason="deadline").inc()
            error = DeadlineExceededError("the deadline passed before the translation")
            waiter.future.set_exception(error)

    def _claim(self, waiter: Waiter) -> bool:
        """Whether it still waits; from now on it cannot leave."""
        if waiter.future.set_running_or_notify_cancel():
            return True
        self._metrics.cancelled.labels(reason="client").inc()
        return False


def _early_deadlines(flights: Iterable[Flight]) -> Iterable[float]:
    """Of those whose run may go on without them."""
    return (
        waiter.deadline_s
        for flight in flights
        for waiter in flight.waiters
        if flight.outlasts(waiter)
    )
