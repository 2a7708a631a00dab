"""Keeps one engine at work: hands it jobs, delivers results, replaces it when it dies.

One thread in the front for every engine; it waits nearly all of the time. The queue, fairness and
cancellation are decided here, before the engine, so engines know neither clients nor deadlines.
"""

import logging
import threading
import time
from itertools import count

from service.engine.loop import Decoded, Failure, Progress
from service.engine.prefill import DecodeRequest
from service.engine.search.options import MAX_BEAM_SIZE
from service.errors import ServiceError, ShuttingDownError, StartupError, TranslationFailedError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.attend_queue import AttendQueue
from service.scheduling.batching_policy import BatchCapacity
from service.scheduling.job import Entry, JobResult
from service.scheduling.queue import AdmissionQueue, Contention
from service.scheduling.workers.attend_feed import AttendFeed
from service.scheduling.workers.engine_client import EngineClient, EngineDiedError
from service.scheduling.workers.holdings import Holdings
from service.scheduling.workers.look_ahead import LookAhead

WAIT_S = 0.5
"""A dispatcher without news looks around this often."""
MAX_QUIET_S = 1.0
"""An engine of which nothing was heard for longer gets no more work: it may hang. Engines report
four times a second."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
"""Before an engine that died is started again; doubled with each death, until one has lived for
`LONGEST_PAUSE_S` at least."""

_log = logging.getLogger(__name__)


class Dispatcher:
    """Owns an engine and the thread that feeds it."""

    def __init__(
        self,
        engine: EngineClient,
        queue: AdmissionQueue,
        metrics: Metrics,
        *,
        attends: AttendQueue | None = None,
        look_ahead: LookAhead | None = None,
        client_share: float = 1.0,
        clock: Clock = time.monotonic,
        number: int = 0,
        wait_s: float = WAIT_S,
    ) -> None:
        """Take nothing before `start`.

        Args:
            engine: Started by this dispatcher.
            queue: Shared by all of them.
            metrics: Likewise.
            attends: Likewise.
            look_ahead: How much the engine gets beyond its slots.
            client_share: Of the slots, for each client while several ask, and for the long
                requests of a client while it has short ones.
            clock: Monotonic, seconds.
            number: Of the engine, for its thread's name.
            wait_s: How long a turn lasts without news.
        """
        self._engine = engine
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        self._look_ahead = look_ahead or LookAhead()
        # The widest beam must find room, else it would wait for ever.
        self._max_slots = max(MAX_BEAM_SIZE, round(client_share * engine.num_slots))
        self._wait_s = wait_s
        self._entries: dict[int, Entry] = {}
        self._urgent: set[int] = set()
        self._handles = count()
        self._attends = attends or AttendQueue()
        self._attend_feed = AttendFeed(engine, self._attends, self._handles)
        self._slots_counted = 0
        self._stopping = threading.Event()
        self._is_retiring = False
        self._wake = engine.wake
        self._pause_s = FIRST_PAUSE_S
        self._started_s = 0.0
        self._thread = threading.Thread(
            target=self._run, name=f"pellucid-engine-{number}", daemon=True
        )
        self.number = number
        """Of the engine."""
        self.is_serving = True
        """Whether there is an engine; False between a death and the next start."""
        self.heartbeat_s = clock()
        """When the engine was last heard of, on the clock."""

    @property
    def is_idle(self) -> bool:
        """Whether the engine has nothing to do."""
        return not self._entries and self._attend_feed.is_idle

    def launch(self) -> None:
        """Begin to start the engine without waiting for it."""
        self._engine.launch()

    def start(self) -> None:
        """Start the engine, and begin to hand it jobs.

        Raises:
            StartupError: The engine cannot start.
        """
        self._engine.start()
        self._started_s = self._clock()
        self._listen()
        self._thread.start()

    def start_later(self) -> None:
        """Start the engine in this dispatcher's thread; it is tried again while it cannot."""
        self.is_serving = False
        self._listen()
        self._thread.start()

    def retire(self) -> None:
        """Take nothing more, and end thread and engine once what is inside has ended."""
        self._is_retiring = True
        self._engine.give_up()
        self._wake()

    @property
    def is_running(self) -> bool:
        """Whether its thread has not ended."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End thread and engine; jobs that it still has fail."""
        self._stopping.set()
        self._engine.give_up()
        self._engine.wake()
        if self._thread.ident is not None:
            self._thread.join()
        self._engine.close()
        for entry in self._entries.values():
            _fail(entry, ShuttingDownError("the service was stopped"))
        self._entries.clear()
        self._attend_feed.stop()
        self._count_slots()

    def iterate(self) -> None:
        """One round: cancel, hand over, receive, deliver."""
        self.heartbeat_s = self._clock() - self._engine.silence_s
        try:
            self._cancel()
            self._hand_over()
            self._receive(self._engine.work(self._wait_s))
        except EngineDiedError as error:
            self._replace(error)

    def _run(self) -> None:
        if not self.is_serving:
            self._start_engine()
        while not (self._stopping.is_set() or (self._is_retiring and self.is_idle)):
            self.iterate()
        if self._is_retiring:
            self._queue.remove_listener(self._wake)
            self._attends.remove_listener(self._wake)
            self._engine.close()

    def _listen(self) -> None:
        self._queue.add_listener(self._wake)
        self._attends.add_listener(self._wake)

    def _cancel(self) -> None:
        handles = [handle for handle, entry in self._entries.items() if entry.is_cancelled]
        for handle in handles:
            del self._entries[handle]
        if handles:
            self._count_slots()
        if dropped := [*handles, *self._attend_feed.cancel()]:
            self._engine.cancel(dropped)

    def _hand_over(self) -> None:
        if self._is_retiring or self._engine.silence_s > MAX_QUIET_S:
            return
        if self._queue.has_waiting:  # all dispatchers are woken for a job that one of them takes
            self._hand_over_jobs()
        if not self._is_retrying:
            self._attend_feed.hand_over()

    def _hand_over_jobs(self) -> None:
        contention = self._queue.contention
        held = Holdings.of(self._entries.values()) if contention.is_any else Holdings()
        self._urgent &= self._entries.keys()
        urgent: list[Entry] = []
        others: list[Entry] = []
        for entry in self._take(contention, held):
            (urgent if held.is_urgent(entry) else others).append(entry)
        self._urgent.update(self._submit(urgent, is_urgent=True))
        self._submit(others, is_urgent=False)

    def _submit(self, entries: list[Entry], *, is_urgent: bool) -> list[int]:
        """Give sentences to the engine; returns their handles."""
        if not entries:
            return []
        admitted_s = self._clock()
        requests = []
        for entry in entries:
            handle = next(self._handles)
            self._entries[handle] = entry
            entry.admitted_s = admitted_s
            job = entry.job
            requests.append(
                DecodeRequest(handle=handle, source_ids=job.source_ids, options=job.options)
            )
        self._engine.submit(requests, is_urgent=is_urgent)
        self._count_slots()
        return [request.handle for request in requests]

    def _take(self, contention: Contention, held: Holdings) -> list[Entry]:
        if self._is_retrying:
            return []
        room = self._room(contention, held)
        if not room.free_slots and not room.max_prefilled:
            return []
        return self._queue.take(room, is_idle=self.is_idle)

    @property
    def _is_retrying(self) -> bool:
        """Whether a job is inside that runs alone, so that a failure can be attributed to it."""
        return any(entry.is_retry for entry in self._entries.values())

    def _room(self, contention: Contention, held: Holdings) -> BatchCapacity:
        if not contention.is_any:
            return self._look_ahead.room(self._num_ahead)
        return self._look_ahead.shared_room(
            self._num_ahead,
            contention,
            held,
            max_slots=self._max_slots,
            num_urgent=len(self._urgent),
        )

    @property
    def _num_ahead(self) -> int:
        """Slots that the jobs inside need beyond those there are; negative: so many are free."""
        return sum(e.num_slots for e in self._entries.values()) - self._engine.num_slots

    def _receive(self, progress: Progress[int]) -> None:
        metrics = self._metrics
        for num_tokens, num_padded in progress.groups:
            metrics.source_tokens.inc(num_tokens)
            metrics.padding_ratio.observe(1 - num_tokens / num_padded)
        for rows, steps in progress.steps.items():
            metrics.decode_steps.inc(steps)
            for _ in range(steps):
                metrics.batch_rows.observe(rows)
        for decoded in progress.decoded:
            self._deliver(decoded)
        for attended in progress.attended:
            self._attend_feed.deliver(attended)
        for failure in progress.failures:
            if self._attend_feed.owns(failure):
                self._attend_feed.fail(failure.error)
            else:
                self._recover(failure)
        if progress.decoded or progress.failures:
            self._count_slots()

    def _deliver(self, decoded: Decoded[int]) -> None:
        entry = self._entries.pop(decoded.handle, None)
        if entry is None or not entry.future.set_running_or_notify_cancel():
            return  # cancelled meanwhile
        best = decoded.hypotheses[0]
        result = JobResult(
            hypotheses=decoded.hypotheses,
            queue_s=entry.admitted_s - entry.submitted_s + decoded.wait_s,
            encode_s=decoded.encode_s,
            decode_s=decoded.decode_s,
            finished_s=self._clock(),
        )
        self._metrics.target_tokens.inc(len(best.target_ids))
        self._metrics.finish.labels(reason=best.finish_reason).inc()
        self._metrics.repetition_guard.inc(best.finish_reason == "repetition")
        entry.future.set_result(result)

    def _recover(self, failure: Failure[int]) -> None:
        """Retry jobs of a failed batch one by one; one that was alone has failed."""
        entries = self._remove(failure.handles)
        _log.error("batch failed", extra={"jobs": len(entries), "error": failure.error})
        for entry in entries:
            if entry.is_retry:
                _give_up(entry, failure.error)
        self._queue.retry([entry for entry in entries if not entry.is_retry])

    def _lose(self, error: str) -> None:
        """Give the jobs of a dead engine to others: together, after a second death one by one.

        A death may have nothing to do with the jobs, and one by one they take long. A job that was
        alone in two deaths has failed.
        """
        entries = self._remove(tuple(self._entries))
        again: list[Entry] = []
        for entry in entries:
            entry.num_deaths += 1
            entry.num_deaths_alone += entry.is_retry
            if entry.num_deaths_alone > 1:
                _give_up(entry, error)
            else:
                again.append(entry)
        self._queue.give_back([entry for entry in again if entry.num_deaths == 1])
        self._queue.retry([entry for entry in again if entry.num_deaths > 1])
        self._attend_feed.fail(error)

    def _remove(self, handles: tuple[int, ...]) -> list[Entry]:
        """Take jobs out that are still wanted, in order of arrival."""
        found = [e for h in handles if (e := self._entries.pop(h, None)) is not None]
        pending = [entry for entry in found if not entry.is_cancelled]
        return sorted(pending, key=lambda entry: entry.submitted_s)

    def _replace(self, cause: EngineDiedError) -> None:
        """Give the jobs of a dead engine to others, and start it again after a pause."""
        self.is_serving = False
        _log.error("engine died", extra={"error": str(cause), "jobs": len(self._entries)})
        self._metrics.engine_restarts.inc()
        self._metrics.lost_calls.inc(len(self._entries))
        self._engine.close()
        self._lose(f"the engine died: {cause}")
        self._count_slots()
        if self._clock() - self._started_s > LONGEST_PAUSE_S:
            self._pause_s = FIRST_PAUSE_S
        if not (self._stopping.wait(self._pause_s) or self._is_retiring):
            self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)
            self._start_engine()

    def _start_engine(self) -> None:
        """Start the engine, with pauses for as long as it cannot start."""
        while not (self._stopping.is_set() or self._is_retiring):
            try:
                self._engine.start()
            except StartupError as error:
                if not (self._stopping.is_set() or self._is_retiring):
                    _log.error("engine cannot start", extra={"error": str(error)})
            else:
                self._started_s = self.heartbeat_s = self._clock()
                self.is_serving = True
                return
            self._stopping.wait(self._pause_s)
            self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)

    def _count_slots(self) -> None:
        """Report what changed: several dispatchers share the gauge.

        Counted here, not in the engine: one that hangs reports nothing, and is to be seen.
        """
        in_use = min(self._engine.num_slots, sum(e.num_slots for e in self._entries.values()))
        self._metrics.slots_in_use.inc(in_use - self._slots_counted)
        self._slots_counted = in_use


def _give_up(entry: Entry, error: str) -> None:
    # The thread works for no request: the id must be given.
    fields = {"request_id": entry.job.request_id, "source_tokens": entry.num_tokens}
    _log.error("job failed", extra={**fields, "error": error})
    _fail(entry, TranslationFailedError("the model failed on this text"))


def _fail(entry: Entry, error: ServiceError) -> None:
    if entry.future.set_running_or_notify_cancel():
        entry.future.set_exception(error)
