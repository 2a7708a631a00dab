"""The bounded queue before the workers: who may wait, who goes next, and for how long."""

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from service.errors import OverloadedError, ShuttingDownError
from service.job import Job, JobResult
from service.telemetry import Metrics

Clock = Callable[[], float]


@dataclass(eq=False, slots=True, kw_only=True)
class Entry:
    """A job between submission and result; compared and hashed by identity."""

    job: Job
    submitted_s: float
    future: Future[JobResult] = field(default_factory=Future)
    """Cancelling it is how a job is given up, at any time."""
    is_retry: bool = False
    """Its batch has failed: it is tried once more, alone."""
    admitted_s: float = 0.0
    encoded_s: float = 0.0

    @property
    def num_slots(self) -> int:
        """Cache rows that the job occupies."""
        return self.job.options.beam_size

    @property
    def deadline_s(self) -> float:
        """When nobody wants the result any more; infinite where that was not said."""
        return math.inf if self.job.deadline_s is None else self.job.deadline_s


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """Bounds of the queue."""

    max_queued_jobs: int = 1024
    """Sentences that may wait."""
    max_queued_tokens: int = 65536
    """Source tokens that may wait."""


class AdmissionQueue:
    """First in, first out, so that nobody is overtaken for ever; safe between threads."""

    def __init__(
        self, limits: AdmissionLimits, metrics: Metrics, clock: Clock = time.monotonic
    ) -> None:
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._entries: OrderedDict[Future[JobResult], Entry] = OrderedDict()
        self._num_tokens = 0
        # No later than any deadline in the queue: before it there is nothing to look for.
        self._earliest_s = math.inf
        self._num_unfinished = 0
        self._changed = threading.Condition()
        self._is_open = True
        self._rate = DrainRate(clock)

    def submit(self, job: Job) -> Future[JobResult]:
        """Append a job.

        Raises:
            OverloadedError: The queue is full; says when to come back.
            ShuttingDownError: The queue was closed.
        """
        with self._changed:
            self._check_admission(len(job.source_ids))
            entry = Entry(job=job, submitted_s=self._clock())
            self._add(entry)
            self._num_unfinished += 1
            self._changed.notify_all()
        entry.future.add_done_callback(self._on_done)
        return entry.future

    def retry(self, entries: list[Entry]) -> None:
        """Put jobs of a failed batch back, before all others; never refused."""
        with self._changed:
            for entry in reversed(entries):
                entry.is_retry = True
                self._add(entry)
                self._entries.move_to_end(entry.future, last=False)
            self._changed.notify_all()

    def take(self, free_slots: int, *, is_idle: bool) -> list[Entry]:
        """Remove the jobs at the head that fit into `free_slots`, in order.

        A job that is tried again comes alone, and only to an idle worker.
        """
        taken: list[Entry] = []
        with self._changed:
            while self._entries:
                entry = next(iter(self._entries.values()))
                must_wait = entry.is_retry and (taken or not is_idle)
                if must_wait or entry.num_slots > free_slots:
                    break
                self._remove(entry)
                taken.append(entry)
                free_slots -= entry.num_slots
                if entry.is_retry:
                    break
        return taken

    def take_expired(self) -> list[Entry]:
        """Remove the jobs whose deadline has passed, wherever in the queue they are."""
        now_s = self._clock()
        with self._changed:
            if now_s < self._earliest_s:
                return []
            expired = [e for e in self._entries.values() if e.deadline_s <= now_s]
            for entry in expired:
                self._remove(entry)
            self._earliest_s = min((e.deadline_s for e in self._entries.values()), default=math.inf)
        return expired

    def wait(self, timeout_s: float, stopping: threading.Event) -> None:
        """Return as soon as there is a job or `stopping` is set, or after `timeout_s` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._entries or stopping.is_set(), timeout_s)

    def wake(self) -> None:
        """Let those who wait look whether they are to stop."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Refuse new jobs from now on; those that wait are still taken."""
        with self._changed:
            self._is_open = False

    def wait_until_done(self, timeout_s: float) -> bool:
        """Wait until every accepted job has ended; False if that takes over `timeout_s` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._num_unfinished, timeout_s)

    def clear(self) -> list[Entry]:
        """Remove and return all that wait."""
        with self._changed:
            entries = list(self._entries.values())
            for entry in entries:
                self._remove(entry)
        return entries

    def _on_done(self, future: Future[JobResult]) -> None:
        with self._changed:
            self._num_unfinished -= 1
            if future.cancelled():
                self._forget(future)
            else:
                self._rate.add()
            self._changed.notify_all()

    def _forget(self, future: Future[JobResult]) -> None:
        """A job that is given up while it waits makes room at once."""
        entry = self._entries.get(future)
        if entry is not None:
            self._remove(entry)
            future.set_running_or_notify_cancel()
            self._metrics.cancelled.labels(reason="client").inc()

    def _check_admission(self, num_tokens: int) -> None:
        if not self._is_open:
            self._metrics.rejected.labels(reason="shutting_down").inc()
            raise ShuttingDownError("the service is shutting down: send the request elsewhere")
        limits = self._limits
        # A job over the token bound is still taken by an empty queue, else it could never be.
        full = len(self._entries) >= limits.max_queued_jobs or (
            self._num_tokens > 0 and self._num_tokens + num_tokens > limits.max_queued_tokens
        )
        if full:
            self._metrics.rejected.labels(reason="queue_full").inc()
            raise OverloadedError(
                f"Slowdown: {len(self._entries)} sentences are waiting, the limit is "
                f"{limits.max_queued_jobs} sentences or {limits.max_queued_tokens} tokens",
                retry_after_s=self._rate.seconds_for(len(self._entries)),
            )

    def _add(self, entry: Entry) -> None:
        self._entries[entry.future] = entry
        self._num_tokens += len(entry.job.source_ids)
        self._earliest_s = min(self._earliest_s, entry.deadline_s)
        # Not `set`: several models have a queue each.
        self._metrics.queue_depth.inc()

    def _remove(self, entry: Entry) -> None:
        del self._entries[entry.future]
        self._num_tokens -= len(entry.job.source_ids)
        self._metrics.queue_depth.dec()


class DrainRate:
    """How fast jobs end, over a sliding window; not safe between threads."""

    def __init__(self, clock: Clock, window_s: float = 10.0) -> None:
        self._clock = clock
        self._window_s = window_s
        self._started_s = clock()
        self._ends: deque[float] = deque(maxlen=100_000)

    def add(self) -> None:
        """One job has ended now."""
        self._ends.append(self._clock())

    def seconds_for(self, num_jobs: int) -> float:
        """Expected seconds until `num_jobs` have ended, between 1 and 60."""
        now = self._clock()
        while self._ends and self._ends[0] < now - self._window_s:
            self._ends.popleft()
        span = min(self._window_s, max(now - self._started_s, 1e-3))
        rate = len(self._ends) / span
        return min(60.0, max(1.0, num_jobs / rate)) if rate else 60.0
