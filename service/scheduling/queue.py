"""The bounded queue before the workers: who may wait, who goes next, and for how long."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from service.errors import OverloadedError, ShuttingDownError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.batching_policy import LOOKAHEAD, Room, choose
from service.scheduling.fair_queue import FairQueue, Line
from service.scheduling.job import Entry, Job
from service.scheduling.limits import NOBODY, AdmissionLimits, Client, DrainRate

RECENTLY_S = 1.0
"""Who has not asked for so long is not waited for: somebody who types pauses for less."""


class RecentClients:
    """Who has asked lately; not safe between threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._asked_s: OrderedDict[str, float] = OrderedDict()

    @property
    def are_several(self) -> bool:
        """Whether there is more than one of them."""
        self._forget()
        return len(self._asked_s) > 1

    def add(self, client: Client) -> None:
        """A client asks now; the service's own work does not count."""
        if client != NOBODY:
            self._asked_s[client.name] = self._clock()
            self._asked_s.move_to_end(client.name)
            self._forget()

    def _forget(self) -> None:
        until_s = self._clock() - RECENTLY_S
        while self._asked_s and next(iter(self._asked_s.values())) < until_s:
            self._asked_s.popitem(last=False)


class AdmissionQueue:
    """Jobs of several clients, shared by the workers; safe between threads."""

    def __init__(
        self, limits: AdmissionLimits, metrics: Metrics, clock: Clock = time.monotonic
    ) -> None:
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._lines = FairQueue()
        # Jobs of failed batches stand apart: only an idle worker may take them, and nobody behind
        # them shall wait for that.
        self._retries: OrderedDict[Entry, None] = OrderedDict()
        self._num_retried_tokens = 0
        self._num_unfinished = 0
        self._changed = threading.RLock()
        self._listeners: list[Callable[[], object]] = []
        self._is_open = True
        self._rate = DrainRate(clock)
        self._askers = RecentClients(clock)

    @property
    def is_busy(self) -> bool:
        """Whether a job was accepted that has not ended."""
        return self._num_unfinished > 0

    @property
    def is_contested(self) -> bool:
        """Whether more than one client has asked for something lately."""
        with self._changed:
            return self._askers.are_several

    def add(self, entry: Entry) -> None:
        """Append a job.

        Raises:
            OverloadedError: The queue, or the client's share of it, is full; says when to retry.
            ShuttingDownError: The queue was closed.
        """
        with self._changed:
            self._check_admission(entry.job)
            self._add(entry)
            self._askers.add(entry.job.client)
            self._num_unfinished += 1
        entry.future.add_done_callback(lambda _: self._on_done(entry))
        self._tell()

    def add_listener(self, wake: Callable[[], object]) -> None:
        """Call `wake`, on any thread, whenever a job comes or is cancelled."""
        self._listeners.append(wake)

    def _tell(self) -> None:
        for wake in self._listeners:
            wake()

    def retry(self, entries: list[Entry]) -> None:
        """Put jobs of a failed batch back, for workers without other work; never refused."""
        with self._changed:
            for entry in entries:
                entry.is_retry = True
                self._add(entry)
        self._tell()

    def take(self, room: Room, *, is_idle: bool) -> list[Entry]:
        """Remove the jobs that a worker is to admit now, as `admission_policy` chooses them.

        A job that is tried again comes alone, and only to a worker that decodes nothing.
        """
        with self._changed:
            if is_idle and self._retries:
                taken = [next(iter(self._retries))]
                self._remove(taken[0])
            else:
                is_bounded = room.max_slots_per_client is not None
                free_slots = room.free_slots_of if is_bounded else None
                taken = choose(self._lines.window(LOOKAHEAD, free_slots), room)
                self._lines.serve(taken)
                self._metrics.queue_depth.dec(len(taken))
        return taken

    def close(self) -> None:
        """Refuse new jobs from now on; those that wait are still taken."""
        with self._changed:
            self._is_open = False

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
        if entry.is_given_up:
            self._tell()

    def _forget(self, entry: Entry) -> None:
        """A job that is given up while it waits makes room at once."""
        if entry in self._lines or entry in self._retries:
            self._remove(entry)

    def _check_admission(self, job: Job) -> None:
        if not self._is_open:
            self._metrics.rejected.labels(reason="shutting_down").inc()
            raise ShuttingDownError("the service is shutting down: send the request elsewhere")
        if job.is_continued:
            return
        self._check_all(job)
        line = self._lines.line_of(job.client)
        if line is not None:
            self._check_line(line, job)

    def _check_all(self, job: Job) -> None:
        num_jobs, limits = self._num_waiting, self._limits
        num_tokens = self._lines.num_tokens + self._num_retried_tokens
        # A job over the token bound is still taken by an empty queue, else it could never be.
        if num_jobs >= limits.max_queued_jobs or (
            num_jobs > 0 and num_tokens + len(job.source_ids) > limits.max_queued_tokens
        ):
            self._metrics.rejected.labels(reason="queue_full").inc()
            raise OverloadedError(
                f"Slowdown: {num_jobs} sentences are waiting, the limit is "
                f"{limits.max_queued_jobs} sentences or {limits.max_queued_tokens} tokens",
                retry_after_s=self._rate.seconds_for(num_jobs),
            )

    def _check_line(self, line: Line, job: Job) -> None:
        num_jobs = len(line.entries)
        max_jobs = self._limits.max_jobs_of(job.client, self._num_waiting - num_jobs)
        max_tokens = self._limits.max_tokens_of(
            job.client, self._lines.num_tokens - line.num_tokens
        )
        if num_jobs >= max_jobs or line.num_tokens + len(job.source_ids) > max_tokens:
            self._metrics.rejected.labels(reason="client_queue_full").inc()
            raise OverloadedError(
                f"Slowdown: {num_jobs} sentences of yours are waiting, the limit for one client is "
                f"now {max_jobs} sentences or {max_tokens} tokens",
                retry_after_s=self._rate.seconds_for(num_jobs / self._lines.share_of(line)),
            )

    @property
    def _num_waiting(self) -> int:
        return len(self._lines) + len(self._retries)

    def _waiting(self) -> list[Entry]:
        return [*self._retries, *self._lines]

    def _add(self, entry: Entry) -> None:
        if entry.is_retry:
            self._retries[entry] = None
            self._num_retried_tokens += entry.num_tokens
        else:
            self._lines.add(entry)
        # Not `set`: several models have a queue each.
        self._metrics.queue_depth.inc()

    def _remove(self, entry: Entry) -> None:
        """Take out a job that is not worked on, or for the second time."""
        if entry.is_retry:
            del self._retries[entry]
            self._num_retried_tokens -= entry.num_tokens
        else:
            self._lines.remove(entry)
        self._metrics.queue_depth.dec()
