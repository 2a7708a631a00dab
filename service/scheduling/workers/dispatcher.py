"""Keeps one engine at work: hands it jobs, delivers results, replaces it when it dies.

One thread in the front for every engine; it waits nearly all of the time. The queue, fairness and
cancellation are decided here, before the engine, so engines know neither clients nor deadlines.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from service.engine.loop import Decoded, Failure, Progress
from service.engine.prefill import DecodeRequest
from service.engine.search.options import MAX_BEAM_SIZE
from service.errors import ServiceError, ShuttingDownError, StartupError, TranslationFailedError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.batching_policy import BatchCapacity
from service.scheduling.job import Entry, JobResult
from service.scheduling.queue import AdmissionQueue
from service.scheduling.workers.engine_client import EngineClient, EngineDiedError

WAIT_S = 0.5
"""A dispatcher without news looks around this often."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
"""Before an engine that died is started again; doubled with each death, until one has lived for
`LONGEST_PAUSE_S` at least."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAhead:
    """What an engine gets beside the sentences that have slots, to encode ahead."""

    num_jobs: int = 64
    num_tokens: int = 1024
    num_jobs_contested: int = 8
    """While several clients ask: what is ahead is ahead of them too."""
    num_tokens_contested: int = 256


class Dispatcher:
    """Owns an engine and the thread that feeds it."""

    def __init__(
        self,
        engine: EngineClient,
        queue: AdmissionQueue,
        metrics: Metrics,
        *,
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
            look_ahead: How much the engine gets beyond its slots.
            client_share: Of the slots, for each client while several ask.
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
        self._max_slots_per_client = max(MAX_BEAM_SIZE, round(client_share * engine.num_slots))
        self._wait_s = wait_s
        self._entries: dict[int, Entry] = {}
        self._handles = count()
        self._slots_counted = 0
        self._stopping = threading.Event()
        self._pause_s = FIRST_PAUSE_S
        self._started_s = 0.0
        self._thread = threading.Thread(
            target=self._run, name=f"pellucid-engine-{number}", daemon=True
        )
        self.is_serving = True
        """Whether there is an engine; False between a death and the next start."""
        self.heartbeat_s = clock()
        """When the engine was last heard of, on the clock."""

    @property
    def is_idle(self) -> bool:
        """Whether the engine has nothing to do."""
        return not self._entries

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
        self._queue.add_listener(self._engine.wake)
        self._thread.start()

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
        while not self._stopping.is_set():
            self.iterate()

    def _cancel(self) -> None:
        handles = [handle for handle, entry in self._entries.items() if entry.is_cancelled]
        if handles:
            for handle in handles:
                del self._entries[handle]
            self._engine.cancel(handles)
            self._count_slots()

    def _hand_over(self) -> None:
        is_contested = self._queue.is_contested
        for entries, is_urgent in self._batches(self._take(is_contested), is_contested):
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

    def _batches(
        self, entries: list[Entry], is_contested: bool
    ) -> Iterable[tuple[list[Entry], bool]]:
        """Urgent are jobs of clients that have nothing in the engine while others have."""
        present = {entry.job.client.name for entry in self._entries.values()}
        urgent = [
            e for e in entries if is_contested and present and e.job.client.name not in present
        ]
        others = [entry for entry in entries if entry not in urgent]
        if urgent:
            yield urgent, True
        if others:
            yield others, False

    def _take(self, is_contested: bool) -> list[Entry]:
        if any(entry.is_retry for entry in self._entries.values()):
            return []  # a retried job runs alone, so that a failure can be attributed to it
        room = self._room(is_contested)
        if not room.free_slots and not room.max_prefilled:
            return []
        return self._queue.take(room, is_idle=self.is_idle)

    def _room(self, is_contested: bool) -> BatchCapacity:
        ahead = self._look_ahead
        num_ahead = ahead.num_jobs_contested if is_contested else ahead.num_jobs
        num_tokens = ahead.num_tokens_contested if is_contested else ahead.num_tokens
        in_use = sum(entry.num_slots for entry in self._entries.values())
        free_slots = max(0, self._engine.num_slots - in_use)
        beyond = max(0, in_use - self._engine.num_slots)
        room = BatchCapacity(
            free_slots=free_slots,
            max_prefilled=max(0, num_ahead - beyond),
            max_tokens=num_tokens,
        )
        if not is_contested:
            return room
        held: Counter[str] = Counter()
        for entry in self._entries.values():
            held[entry.job.client.name] += entry.num_slots
        return BatchCapacity(
            free_slots=free_slots,
            max_prefilled=room.max_prefilled,
            max_tokens=num_tokens,
            max_slots_per_client=self._max_slots_per_client,
            slots_in_use=held,
        )

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
        for failure in progress.failures:
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
        entries = [
            e for handle in failure.handles if (e := self._entries.pop(handle, None)) is not None
        ]
        _log.error("batch failed", extra={"jobs": len(entries), "error": failure.error})
        pending = [entry for entry in entries if not entry.is_cancelled]
        for entry in pending:
            if entry.is_retry:
                # The thread works for no request: the id must be given.
                fields = {"request_id": entry.job.request_id, "source_tokens": entry.num_tokens}
                _log.error("job failed", extra={**fields, "error": failure.error})
                _fail(entry, TranslationFailedError("the model failed on this text"))
        again = [entry for entry in pending if not entry.is_retry]
        self._queue.retry(sorted(again, key=lambda entry: entry.submitted_s))

    def _replace(self, cause: EngineDiedError) -> None:
        """Give the jobs of a dead engine to others, and start it again after a pause."""
        self.is_serving = False
        _log.error("engine died", extra={"error": str(cause), "jobs": len(self._entries)})
        self._metrics.engine_restarts.inc()
        self._engine.close()
        self._recover(Failure(handles=tuple(self._entries), error=f"the engine died: {cause}"))
        self._count_slots()
        if self._clock() - self._started_s > LONGEST_PAUSE_S:
            self._pause_s = FIRST_PAUSE_S
        while not self._stopping.wait(self._pause_s):
            self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)
            try:
                self._engine.start()
            except StartupError as error:
                if not self._stopping.is_set():
                    _log.error("engine cannot start", extra={"error": str(error)})
                continue
            self._started_s = self.heartbeat_s = self._clock()
            self.is_serving = True
            return

    def _count_slots(self) -> None:
        """Report what changed: several dispatchers share the gauge.

        Counted here, not in the engine: one that hangs reports nothing, and is to be seen.
        """
        in_use = min(self._engine.num_slots, sum(e.num_slots for e in self._entries.values()))
        self._metrics.slots_in_use.inc(in_use - self._slots_counted)
        self._slots_counted = in_use


def _fail(entry: Entry, error: ServiceError) -> None:
    if entry.future.set_running_or_notify_cancel():
        entry.future.set_exception(error)
