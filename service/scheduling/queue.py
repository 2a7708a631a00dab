"""The bounded queue in front of the workers: admission, order, and when to retry."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from service.errors import OverloadedError, ShuttingDownError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.batching_policy import LOOKAHEAD, BatchCapacity, select_batch
from service.scheduling.fair_queue import ClientFlow, FairQueue
from service.scheduling.job import Entry, Job, JobResult
from service.scheduling.limits import (
    INTERNAL_CLIENT,
    MAX_SHORT_SENTENCES,
    AdmissionLimits,
    Client,
    CompletionRate,
    FlowKey,
)

RECENTLY_S = 1.0
"""Seconds for which a client counts as active after a request: typing pauses are shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contention:
    """Who asks at the same time, or has done so within `RECENTLY_S`."""

    of_clients: bool
    """Several clients."""
    of_requests: bool
    """Short and long requests."""

    @property
    def is_any(self) -> bool:
        """Whether anything waits for something else that is not of its kind."""
        return self.of_clients or self.of_requests


class RecentClients:
    """Clients with a recent request; not safe between threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last_request_s: OrderedDict[str, float] = OrderedDict()

    @property
    def has_several(self) -> bool:
        """Whether there are two or more."""
        self._expire()
        return len(self._last_request_s) > 1

    def add(self, client: Client) -> None:
        """Note a request of a client now; the service's own jobs do not count."""
        if client != INTERNAL_CLIENT:
            self._last_request_s[client.name] = self._clock()
            self._last_request_s.move_to_end(client.name)
            self._expire()

    def _expire(self) -> None:
        until_s = self._clock() - RECENTLY_S
        while self._last_request_s and next(iter(self._last_request_s.values())) < until_s:
            self._last_request_s.popitem(last=False)


class ActiveRequests:
    """Requests with unfinished jobs; not safe between threads.

    Only where short and long ones meet does anything depend on the order of their jobs: short ones
    alone are served as they come, and among long ones none waits for a single sentence.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._num_jobs: dict[FlowKey, int] = {}
        self._num_long = 0
        self._last_met_s = -math.inf

    @property
    def num_requests(self) -> int:
        """How many are active."""
        return len(self._num_jobs)

    @property
    def have_met(self) -> bool:
        """Whether a short and a long one have been active at once lately."""
        return self._meet or self._clock() - self._last_met_s <= RECENTLY_S

    def add(self, flow: FlowKey) -> None:
        """Count a job as accepted; the service's own do not count."""
        client, request = flow
        if client == INTERNAL_CLIENT.name:
            return
        if flow not in self._num_jobs:
            self._num_jobs[flow] = 0
            self._num_long += request.num_sentences > MAX_SHORT_SENTENCES
        self._num_jobs[flow] += 1

    def remove(self, flow: FlowKey) -> None:
        """Count a job as ended."""
        client, request = flow
        if client == INTERNAL_CLIENT.name:
            return
        if self._meet:
            self._last_met_s = self._clock()
        self._num_jobs[flow] -= 1
        if not self._num_jobs[flow]:
            del self._num_jobs[flow]
            self._num_long -= request.num_sentences > MAX_SHORT_SENTENCES

    @property
    def _meet(self) -> bool:
        return 0 < self._num_long < len(self._num_jobs)


class AdmissionQueue:
    """Bounded queue of jobs, shared by the workers; thread-safe.

    Fair between clients, and inside a client between its requests.
    """

    def __init__(
        self, limits: AdmissionLimits, metrics: Metrics, clock: Clock = time.monotonic
    ) -> None:
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._fair = FairQueue()
        # Jobs of failed batches wait apart: only an idle worker takes them, and no other job
        # should wait for one.
        self._retries: OrderedDict[Entry, None] = OrderedDict()
        # Jobs of an engine that died: they had their turn, so any worker with room takes them next.
        self._returned: OrderedDict[Entry, None] = OrderedDict()
        self._num_retried_tokens = 0
        # By their futures, whose callbacks then hold no job: each would be a cycle, which only the
        # garbage collector frees.
        self._unfinished: dict[Future[JobResult], Entry] = {}
        self._slots_unfinished = 0
        self._changed = threading.RLock()
        self._listeners: list[Callable[[], object]] = []
        self._is_open = True
        self._rate = CompletionRate(clock)
        self._recent_clients = RecentClients(clock)
        self._active_requests = ActiveRequests(clock)

    @property
    def is_busy(self) -> bool:
        """Whether an accepted job has not ended."""
        return bool(self._unfinished)

    @property
    def has_waiting(self) -> bool:
        """Whether a job waits for an engine; without a lock: listeners are told of later ones."""
        return self._num_waiting > 0

    @property
    def slots_wanted(self) -> int:
        """Rows that all accepted and unfinished jobs need."""
        return self._slots_unfinished

    @property
    def num_requests(self) -> int:
        """Requests with unfinished jobs."""
        return self._active_requests.num_requests

    @property
    def contention(self) -> Contention:
        """What has been active lately."""
        with self._changed:
            return Contention(
                of_clients=self._recent_clients.has_several,
                of_requests=self._active_requests.have_met,
            )

    @property
    def is_contested(self) -> bool:
        """Whether several clients, or short and long requests, have been active lately."""
        return self.contention.is_any

    def add(self, entry: Entry) -> None:
        """Append a job.

        Raises:
            OverloadedError: The queue, or the client's share of it, is full; says when to retry.
            ShuttingDownError: The queue was closed.
        """
        with self._changed:
            self._check_admission(entry.job)
            self._add(entry)
            self._recent_clients.add(entry.job.client)
            self._active_requests.add(entry.flow)
            self._unfinished[entry.future] = entry
            self._slots_unfinished += entry.num_slots
        entry.future.add_done_callback(self._on_done)
        self._tell()

    def add_listener(self, wake: Callable[[], object]) -> None:
        """Call `wake`, on any thread, whenever a job comes or is cancelled."""
        self._listeners = [*self._listeners, wake]

    def remove_listener(self, wake: Callable[[], object]) -> None:
        """Call `wake` no more."""
        self._listeners = [other for other in self._listeners if other != wake]

    def _tell(self) -> None:
        for wake in self._listeners:  # replaced as a whole: no lock
            wake()

    def give_back(self, entries: list[Entry]) -> None:
        """Queue the jobs of an engine that died again, before all others; never refused."""
        with self._changed:
            self._returned.update((entry, None) for entry in entries)
            self._num_retried_tokens += sum(entry.num_tokens for entry in entries)
            self._metrics.queue_depth.inc(len(entries))
        self._tell()

    def retry(self, entries: list[Entry]) -> None:
        """Queue the jobs of a failed batch again, for idle workers; never refused."""
        with self._changed:
            for entry in entries:
                entry.is_retry = True
                self._add(entry)
        self._tell()

    def take(self, capacity: BatchCapacity, *, is_idle: bool) -> list[Entry]:
        """Remove and return the jobs that join a worker's batch, as `batching_policy` selects them.

        A retried job is returned alone, and only to an idle worker.
        """
        with self._changed:
            if is_idle and self._retries:
                taken = [next(iter(self._retries))]
                self._remove(taken[0])
            elif self._returned:
                taken = select_batch(self._returned, capacity)
                for entry in taken:
                    self._remove(entry)
            else:
                taken = select_batch(self._fair.window(LOOKAHEAD, capacity), capacity)
                self._fair.serve(taken)
                self._metrics.queue_depth.dec(len(taken))
        return taken

    def close(self) -> None:
        """Refuse new jobs from now on; queued ones are still taken."""
        with self._changed:
            self._is_open = False

    def clear(self) -> list[Entry]:
        """Remove and return all queued jobs."""
        with self._changed:
            entries = self._waiting()
            for entry in entries:
                self._remove(entry)
        return entries

    def _on_done(self, future: Future[JobResult]) -> None:
        with self._changed:
            entry = self._unfinished.pop(future)
            self._slots_unfinished -= entry.num_slots
            self._active_requests.remove(entry.flow)
            if future.cancelled():
                entry.is_cancelled = True
                self._remove_waiting(entry)
            else:
                self._rate.add()
        if entry.is_cancelled:
            self._tell()

    def _remove_waiting(self, entry: Entry) -> None:
        """Remove a cancelled job at once if it still waits."""
        if entry in self._fair or entry in self._retries or entry in self._returned:
            self._remove(entry)

    def _check_admission(self, job: Job) -> None:
        if not self._is_open:
            self._metrics.rejected.labels(reason="shutting_down").inc()
            raise ShuttingDownError("the service is shutting down: send the request elsewhere")
        if job.is_continued:
            return
        self._check_all(job)
        flow = self._fair.flow_of(job.client)
        if flow is not None:
            self._check_flow(flow, job)

    def _check_all(self, job: Job) -> None:
        num_jobs, limits = self._num_waiting, self._limits
        num_tokens = self._fair.num_tokens + self._num_retried_tokens
        # An empty queue takes even a job over the token bound: it could never run otherwise.
        if num_jobs >= limits.max_queued_jobs or (
            num_jobs > 0 and num_tokens + len(job.source_ids) > limits.max_queued_tokens
        ):
            self._metrics.rejected.labels(reason="queue_full").inc()
            raise OverloadedError(
                f"Slowdown: {num_jobs} sentences are waiting, the limit is "
                f"{limits.max_queued_jobs} sentences or {limits.max_queued_tokens} tokens",
                retry_after_s=self._rate.seconds_for(num_jobs),
            )

    def _check_flow(self, flow: ClientFlow, job: Job) -> None:
        num_jobs = flow.num_jobs
        max_jobs = self._limits.max_jobs_of(job.client, self._num_waiting - num_jobs)
        max_tokens = self._limits.max_tokens_of(job.client, self._fair.num_tokens - flow.num_tokens)
        if num_jobs >= max_jobs or flow.num_tokens + len(job.source_ids) > max_tokens:
            self._metrics.rejected.labels(reason="client_queue_full").inc()
            raise OverloadedError(
                f"Slowdown: {num_jobs} sentences of yours are waiting, the limit for one client is "
                f"now {max_jobs} sentences or {max_tokens} tokens",
                retry_after_s=self._rate.seconds_for(num_jobs / self._fair.share_of(flow)),
            )

    @property
    def _num_waiting(self) -> int:
        return len(self._fair) + len(self._retries) + len(self._returned)

    def _waiting(self) -> list[Entry]:
        return [*self._retries, *self._returned, *self._fair]

    def _add(self, entry: Entry) -> None:
        if entry.is_retry:
            self._retries[entry] = None
            self._num_retried_tokens += entry.num_tokens
        else:
            self._fair.add(entry)
        # Not `set`: the queues of all models share the gauge.
        self._metrics.queue_depth.inc()

    def _remove(self, entry: Entry) -> None:
        """Remove a job without charging its client: it is cancelled, or was charged before."""
        if entry in self._fair:
            self._fair.remove(entry)
        else:
            del (self._retries if entry.is_retry else self._returned)[entry]
            self._num_retried_tokens -= entry.num_tokens
        self._metrics.queue_depth.dec()
