"""The decode loop of one worker: jobs join between steps, and leave when done or cancelled.

Knows no deadline: to the loop, a late job is a cancelled one.
"""

import logging
import threading
import time
from collections import Counter, deque
from dataclasses import replace

from service.engine.batch_decoder import BatchDecoder, Finished
from service.engine.graphs.encoder import EncodedGroup
from service.engine.graphs.sessions import Sessions
from service.engine.prefill import DecodeRequest, PrefilledSentence
from service.engine.search.options import MAX_BEAM_SIZE
from service.errors import ServiceError, ShuttingDownError, TranslationFailedError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.batching_policy import BatchCapacity
from service.scheduling.job import Entry, JobResult
from service.scheduling.queue import AdmissionQueue

IDLE_WAIT_S = 0.5
"""Interval between the heartbeats of an idle worker."""
MAX_PREFILLED = 8
"""Sentences that a full worker encodes before there are slots for them: one encoder call for
several costs less than one for each, and a free slot is filled at once."""
IDLE_BUDGET_FACTOR = 4
"""Multiple of the encoder budget for an idle worker: no running sentence is held up by it."""

_log = logging.getLogger(__name__)


class DecodeLoop:
    """A batch decoder and the thread that drives it."""

    def __init__(
        self,
        sessions: Sessions,
        queue: AdmissionQueue,
        metrics: Metrics,
        *,
        num_slots: int,
        max_encoder_tokens: int,
        client_share: float = 1.0,
        clock: Clock = time.monotonic,
    ) -> None:
        """Allocate the cache.

        Args:
            sessions: Shared by all workers.
            queue: Shared by all workers.
            metrics: Shared by all workers.
            num_slots: Rows of the batch.
            max_encoder_tokens: Source tokens to encode between two steps of a running batch.
            client_share: Share of the rows for each client while several are active.
            clock: Monotonic, seconds.
        """
        self._decoder: BatchDecoder[Entry] = BatchDecoder(sessions, num_slots=num_slots)
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        self._num_slots = num_slots
        self._max_encoder_tokens = max_encoder_tokens
        # At least the widest beam: it would otherwise never fit.
        self._max_slots_per_client = max(MAX_BEAM_SIZE, round(client_share * num_slots))
        self._prefilled: deque[PrefilledSentence[Entry]] = deque()
        self._slots_counted = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pellucid-worker", daemon=True)
        self.heartbeat_s = clock()
        """Moment of the last iteration, on the clock."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being decoded."""
        return not self._decoder.handles and not self._prefilled

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its current step; its unfinished jobs fail."""
        self._stopping.set()
        self._queue.wake()
        if self._thread.ident is not None:
            self._thread.join()
        for entry in self._entries():
            self._fail(entry, ShuttingDownError("the service was stopped"))
        self._clear()

    def iterate(self) -> None:
        """Drop cancelled jobs, admit new ones, and decode one token of each."""
        self.heartbeat_s = self._clock()
        self._drop_cancelled()
        entries = self._next_jobs()
        try:
            self._prefill(entries)
            self._join()
            self._step()
        except Exception as error:  # noqa: BLE001 - an error of a graph must not end the thread
            self._recover({*entries, *self._entries()}, error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.iterate()
            if self.is_idle:
                self._queue.wait(IDLE_WAIT_S, self._stopping)

    def _drop_cancelled(self) -> None:
        for entry in self._decoder.handles:
            if entry.is_cancelled:
                self._decoder.remove(entry)
        if self._prefilled:
            self._prefilled = deque(s for s in self._prefilled if not s.request.handle.is_cancelled)
        self._count_slots()

    def _entries(self) -> list[Entry]:
        """Jobs in the batch, and encoded ones that wait for slots."""
        return [*self._decoder.handles, *(sentence.request.handle for sentence in self._prefilled)]

    def _next_jobs(self) -> list[Entry]:
        if not self._may_take():
            return []
        is_idle = self.is_idle
        budget = self._max_encoder_tokens * (IDLE_BUDGET_FACTOR if is_idle else 1)
        capacity = BatchCapacity(
            free_slots=self._decoder.free_slots, max_prefilled=MAX_PREFILLED, max_tokens=budget
        )
        if self._queue.is_contested:
            capacity = replace(
                capacity,
                max_slots_per_client=self._max_slots_per_client,
                slots_in_use=self._slots_by_client(),
            )
        return self._queue.take(capacity, is_idle=is_idle)

    def _slots_by_client(self) -> Counter[str]:
        slots_in_use: Counter[str] = Counter()
        for entry in self._entries():
            slots_in_use[entry.job.client.name] += entry.num_slots
        return slots_in_use

    def _may_take(self) -> bool:
        # Retried jobs run alone, so that a failure can be attributed to one job.
        is_retried = any(entry.is_retry for entry in self._decoder.handles)
        return bool(self._decoder.free_slots) and not self._prefilled and not is_retried

    def _prefill(self, entries: list[Entry]) -> None:
        if not entries:
            return
        admitted_s = self._clock()
        prefilled = self._decoder.prefill(
            [
                DecodeRequest(handle=e, source_ids=e.job.source_ids, options=e.job.options)
                for e in entries
            ]
        )
        encoded_s = self._clock()
        for entry in entries:
            entry.admitted_s, entry.encoded_s = admitted_s, encoded_s
        for group in prefilled.groups:
            self._count_group(group)
        self._prefilled.extend(prefilled.sentences)

    def _join(self) -> None:
        """Start encoded sentences in order, as far as there are free slots."""
        while self._prefilled and self._prefilled[0].num_slots <= self._decoder.free_slots:
            sentence = self._prefilled.popleft()
            sentence.request.handle.joined_s = self._clock()
            self._decoder.join([sentence])
        self._count_slots()

    def _count_group(self, group: EncodedGroup) -> None:
        self._metrics.source_tokens.inc(group.num_tokens)
        self._metrics.padding_ratio.observe(1 - group.num_tokens / group.num_padded_tokens)

    def _step(self) -> None:
        rows = self._decoder.num_rows
        if not rows:
            return
        finished = self._decoder.step()
        self._count_slots()
        self._metrics.decode_steps.inc()
        self._metrics.batch_rows.observe(rows)
        for result in finished:
            self._deliver(result)

    def _deliver(self, finished: Finished[Entry]) -> None:
        entry, now_s = finished.handle, self._clock()
        if not entry.future.set_running_or_notify_cancel():
            return
        best = finished.hypotheses[0]
        result = JobResult(
            hypotheses=finished.hypotheses,
            queue_s=entry.admitted_s - entry.submitted_s + entry.joined_s - entry.encoded_s,
            encode_s=entry.encoded_s - entry.admitted_s,
            decode_s=now_s - entry.joined_s,
            finished_s=now_s,
        )
        self._metrics.target_tokens.inc(len(best.target_ids))
        self._metrics.finish.labels(reason=best.finish_reason).inc()
        self._metrics.repetition_guard.inc(best.finish_reason == "repetition")
        entry.future.set_result(result)

    def _recover(self, entries: set[Entry], error: Exception) -> None:
        """Empty a failed batch; its jobs are retried one by one, and those that fail alone fail."""
        what = f"{type(error).__name__}: {error}"
        _log.error("batch failed", extra={"jobs": len(entries), "error": what})
        self._clear()
        pending = [entry for entry in entries if not entry.is_cancelled]
        for entry in pending:
            if entry.is_retry:
                # No request is current in the worker's thread, so the id is passed explicitly.
                fields = {"request_id": entry.job.request_id, "source_tokens": entry.num_tokens}
                _log.error("job failed", extra={**fields, "error": what})
                self._fail(entry, TranslationFailedError("the model failed on this text"))
        again = [entry for entry in pending if not entry.is_retry]
        self._queue.retry(sorted(again, key=lambda entry: entry.submitted_s))

    def _clear(self) -> None:
        self._decoder.clear()
        self._prefilled.clear()
        self._count_slots()

    def _fail(self, entry: Entry, error: ServiceError) -> None:
        if entry.future.set_running_or_notify_cancel():
            entry.future.set_exception(error)

    def _count_slots(self) -> None:
        """Add the change to the gauge, which all workers share."""
        in_use = self._num_slots - self._decoder.free_slots
        self._metrics.slots_in_use.inc(in_use - self._slots_counted)
        self._slots_counted = in_use
