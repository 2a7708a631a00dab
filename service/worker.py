"""One thread that decodes: admits jobs between steps, and lets them go as soon as they may."""

import logging
import threading
import time
from concurrent.futures import InvalidStateError

from service.admission import AdmissionQueue, Clock, Entry
from service.engine.batch_decoder import BatchDecoder, DecodeRequest, Finished
from service.engine.encoder import EncodedGroup
from service.engine.sessions import Sessions
from service.errors import DeadlineExceededError, ServiceError, TranslationFailedError
from service.job import JobResult
from service.telemetry import Metrics

IDLE_WAIT_S = 0.5
"""An idle worker shows its heart-beat this often."""

_log = logging.getLogger(__name__)


class Worker:
    """Owns a batch decoder and the thread that runs it."""

    def __init__(
        self,
        sessions: Sessions,
        queue: AdmissionQueue,
        metrics: Metrics,
        *,
        num_slots: int,
        clock: Clock = time.monotonic,
    ) -> None:
        self._decoder: BatchDecoder[Entry] = BatchDecoder(sessions, num_slots=num_slots)
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pellucid-worker", daemon=True)
        self.last_beat_s = clock()
        """When the thread last came round, on the clock."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being decoded."""
        return not self._decoder.keys

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the step that it is in; what it still has fails."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._drop(ServiceError("the service was stopped"))

    def turn(self) -> None:
        """One round: drop who has gone, admit who waits, give everyone a token."""
        self.last_beat_s = self._clock()
        self._leave()
        entries = self._queue.take(self._decoder.free_slots, is_idle=self.is_idle)
        try:
            self._admit([e for e in entries if not self._has_gone(e)])
            self._step()
        except Exception as error:  # noqa: BLE001 - whatever a graph throws must not end the thread
            self._recover({*entries, *self._decoder.keys}, error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.turn()
            if self.is_idle:
                self._queue.wait(IDLE_WAIT_S)

    def _leave(self) -> None:
        for entry in self._decoder.keys:
            if self._has_gone(entry):
                self._decoder.remove(entry)
                self._metrics.slots_in_use.dec(entry.num_slots)

    def _has_gone(self, entry: Entry) -> bool:
        """Whether nobody wants the result any more; a missed deadline is answered here."""
        if entry.future.cancelled():
            self._metrics.cancelled.labels(reason="client").inc()
            return True
        if entry.is_expired(self._clock()):
            self._metrics.cancelled.labels(reason="deadline").inc()
            self._metrics.finish.labels(reason="deadline").inc()
            self._fail(entry, DeadlineExceededError("the deadline passed before the translation"))
            return True
        return False

    def _admit(self, entries: list[Entry]) -> None:
        if not entries:
            return
        admitted_s = self._clock()
        groups = self._decoder.admit(
            [
                DecodeRequest(key=e, source_ids=e.job.source_ids, options=e.job.options)
                for e in entries
            ]
        )
        encoded_s = self._clock()
        for entry in entries:
            entry.admitted_s, entry.encoded_s = admitted_s, encoded_s
            self._metrics.slots_in_use.inc(entry.num_slots)
        for group in groups:
            self._count_group(group)

    def _count_group(self, group: EncodedGroup) -> None:
        self._metrics.source_tokens.inc(group.num_tokens)
        self._metrics.padding_ratio.observe(1 - group.num_tokens / group.num_padded_tokens)

    def _step(self) -> None:
        rows = self._decoder.num_rows
        if not rows:
            return
        finished = self._decoder.step()
        self._metrics.decode_steps.inc()
        self._metrics.batch_rows.observe(rows)
        for result in finished:
            self._deliver(result)

    def _deliver(self, finished: Finished[Entry]) -> None:
        entry, now_s = finished.key, self._clock()
        best = finished.hypotheses[0]
        result = JobResult(
            hypotheses=finished.hypotheses,
            queue_s=entry.admitted_s - entry.submitted_s,
            encode_s=entry.encoded_s - entry.admitted_s,
            decode_s=now_s - entry.encoded_s,
        )
        self._metrics.slots_in_use.dec(entry.num_slots)
        self._metrics.target_tokens.inc(len(best.target_ids))
        self._metrics.finish.labels(reason=best.finish_reason).inc()
        try:
            entry.future.set_result(result)
        except InvalidStateError:
            self._metrics.cancelled.labels(reason="client").inc()

    def _recover(self, entries: set[Entry], error: Exception) -> None:
        """Empty the batch; its jobs are tried again one by one, and who was alone has failed."""
        _log.error(
            "batch failed",
            extra={"jobs": len(entries), "error": f"{type(error).__name__}: {error}"},
        )
        self._metrics.slots_in_use.dec(sum(e.num_slots for e in self._decoder.keys))
        self._decoder.clear()
        pending = sorted((e for e in entries if not e.future.done()), key=lambda e: e.submitted_s)
        again = [e for e in pending if not e.is_retry]
        for entry in pending:
            if entry.is_retry:
                self._fail(entry, TranslationFailedError("the model failed on this text"))
        self._queue.retry(again)

    def _drop(self, error: ServiceError) -> None:
        for entry in self._decoder.keys:
            self._fail(entry, error)
        self._decoder.clear()

    def _fail(self, entry: Entry, error: ServiceError) -> None:
        try:
            entry.future.set_exception(error)
        except InvalidStateError:
            self._metrics.cancelled.labels(reason="client").inc()
