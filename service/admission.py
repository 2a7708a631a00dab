"""The bounded queue before the workers: who may wait, who goes next, and for how long."""

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from service.admission_policy import Room, choose
from service.errors import OverloadedError, ShuttingDownError
from service.job import Entry, Job, JobResult
from service.telemetry import Metrics

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """Bounds of the queue."""

    max_queued_jobs: int = 1024
    """Sentences that may wait."""
    max_queued_tokens: int = 65536
    """Source tokens that may wait."""


class AdmissionQueue:
    """Jobs in the order in which they came, shared by the workers; safe between threads."""

    def __init__(
        self, limits: AdmissionLimits, metrics: Metrics, clock: Clock = time.monotonic
    ) -> None:
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._entries: OrderedDict[Future[JobResult], Entry] = OrderedDict()
        # Jobs of failed batches stand apart: only an idle worker may take them, and nobody behind
        # them shall wait for that.
        self._retries: OrderedDict[Future[JobResult], Entry] = OrderedDict()
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
        entry.future.add_done_callback(lambda _: self._on_done(entry))
        return entry.future

    def retry(self, entries: list[Entry]) -> None:
        """Put jobs of a failed batch back, for workers without other work; never refused."""
        with self._changed:
            for entry in entries:
                entry.is_retry = True
                self._add(entry)
            self._changed.notify_all()

    def take(self, room: Room, *, is_idle: bool) -> list[Entry]:
        """Remove the jobs that a worker is to admit now, as `admission_policy` chooses them.

        A job that is tried again comes alone, and only to a worker that decodes nothing.
        """
        with self._changed:
            if is_idle and self._retries:
                taken = [next(iter(self._retries.values()))]
            else:
                taken = choose(self._entries.values(), room)
            for entry in taken:
                self._remove(entry)
        return taken

    def take_expired(self) -> list[Entry]:
        """Remove the jobs whose deadline has passed, wherever in the queue they are."""
        now_s = self._clock()
        with self._changed:
            if now_s < self._earliest_s:
                return []
            expired = [entry for entry in self._waiting() if entry.deadline_s <= now_s]
            for entry in expired:
                self._remove(entry)
            self._earliest_s = min((e.deadline_s for e in self._waiting()), default=math.inf)
        return expired

    def wait(self, timeout_s: float, stopping: threading.Event) -> None:
        """Return as soon as there is a job or `stopping` is set, or after `timeout_s` seconds."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._entries or self._retries or stopping.is_set(), timeout_s
            )

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
            entries = self._waiting()
            for entry in entries:
                self._remove(entry)
        return entries

    def _on_done(self, entry: Entry) -> None:
        with self._changed:
            self._num_unfinished -= 1
            if entry.future.cancelled():
                entry.is_given_up = True
                self._forget(entry)
            else:
                self._rate.add()
            self._changed.notify_all()

    def _forget(self, entry: Entry) -> None:
        """A job that is given up while it waits makes room at once."""
        if entry.future in self._entries or entry.future in self._retries:
            self._remove(entry)
            entry.future.set_running_or_notify_cancel()
            self._metrics.cancelled.labels(reason="client").inc()

    def _check_admission(self, num_tokens: int) -> None:
        if not self._is_open:
            self._metrics.rejected.labels(reason="shutting_down").inc()
            raise ShuttingDownError("the service is shutting down: send the request elsewhere")
        limits = self._limits
        # A job over the token bound is still taken by an empty queue, else it could never be.
        num_jobs = len(self._entries) + len(self._retries)
        full = num_jobs >= limits.max_queued_jobs or (
            self._num_tokens > 0 and self._num_tokens + num_tokens > limits.max_queued_tokens
        )
        if full:
            self._metrics.rejected.labels(reason="queue_full").inc()
            raise OverloadedError(
                f"Slowdown: {num_jobs} sentences are waiting, the limit is "
                f"{limits.max_queued_jobs} sentences or {limits.max_queued_tokens} tokens",
                retry_after_s=self._rate.seconds_for(num_jobs),
            )

    def _waiting(self) -> list[Entry]:
        return [*self._retries.values(), *self._entries.values()]

    def _add(self, entry: Entry) -> None:
        (self._retries if entry.is_retry else self._entries)[entry.future] = entry
        self._num_tokens += entry.num_tokens
        self._earliest_s = min(self._earliest_s, entry.deadline_s)
        # Not `set`: several models have a queue each.
        self._metrics.queue_depth.inc()

    def _remove(self, entry: Entry) -> None:
        del (self._retries if entry.is_retry else self._entries)[entry.future]
        self._num_tokens -= entry.num_tokens
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
