"""One thread that decodes: admits jobs between steps, and lets them go as soon as they may."""

import logging
import threading
import time
from collections import Counter, deque
from dataclasses import replace

from service.engine.batch_decoder import BatchDecoder, Finished
from service.engine.graphs.encoder import EncodedGroup
from service.engine.graphs.sessions import Sessions
from service.engine.prefill import DecodeRequest, PreparedSentence
from service.engine.search.options import MAX_BEAM_SIZE
from service.errors import ServiceError, ShuttingDownError, TranslationFailedError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.batching_policy import Room
from service.scheduling.job import Entry, JobResult
from service.scheduling.queue import AdmissionQueue

IDLE_WAIT_S = 0.5
"""An idle worker shows its heart-beat this often."""
NUM_AHEAD = 8
"""Sentences that a full worker prepares before there are slots for them: one call of the encoder
for several costs less than a call for each, and a slot that falls free is filled at once."""
IDLE_BUDGET_FACTOR = 4
"""How many times its budget an idle worker may encode: nobody waits for it meanwhile."""

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
        max_encoder_tokens: int,
        client_share: float = 1.0,
        clock: Clock = time.monotonic,
    ) -> None:
        """Allocate the cache.

        Args:
            sessions: Shared by all workers.
            queue: Likewise.
            metrics: Likewise.
            num_slots: Rows of the batch.
            max_encoder_tokens: Source tokens to encode between two steps of a running batch.
            client_share: Of the rows, for each client while several ask.
            clock: Monotonic, seconds.
        """
        self._decoder: BatchDecoder[Entry] = BatchDecoder(sessions, num_slots=num_slots)
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        self._num_slots = num_slots
        self._max_encoder_tokens = max_encoder_tokens
        # The widest beam must find room, else it would wait for ever.
        self._max_slots_per_client = max(MAX_BEAM_SIZE, round(client_share * num_slots))
        self._prepared: deque[PreparedSentence[Entry]] = deque()
        self._slots_counted = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pellucid-worker", daemon=True)
        self.last_beat_s = clock()
        """When the thread last came round, on the clock."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being decoded."""
        return not self._decoder.keys and not self._prepared

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the step that it is in; what it still has fails."""
        self._stopping.set()
        self._queue.wake()
        if self._thread.ident is not None:
            self._thread.join()
        for entry in self._entries():
            self._fail(entry, ShuttingDownError("the service was stopped"))
        self._clear()

    def turn(self) -> None:
        """One round: drop who has gone, admit who waits, give everyone a token."""
        self.last_beat_s = self._clock()
        self._leave()
        entries = self._take()
        try:
            self._prepare(entries)
            self._join()
            self._step()
        except Exception as error:  # noqa: BLE001 - whatever a graph throws must not end the thread
            self._recover({*entries, *self._entries()}, error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.turn()
            if self.is_idle:
                self._queue.wait(IDLE_WAIT_S, self._stopping)

    def _leave(self) -> None:
        for entry in self._decoder.keys:
            if entry.is_given_up:
                self._decoder.remove(entry)
        if self._prepared:
            self._prepared = deque(s for s in self._prepared if not s.request.key.is_given_up)
        self._count_slots()

    def _entries(self) -> list[Entry]:
        """Whoever is being decoded, or about to be."""
        return [*self._decoder.keys, *(sentence.request.key for sentence in self._prepared)]

    def _take(self) -> list[Entry]:
        if not self._may_take():
            return []
        is_idle = self.is_idle
        budget = self._max_encoder_tokens * (IDLE_BUDGET_FACTOR if is_idle else 1)
        room = Room(free_slots=self._decoder.free_slots, num_ahead=NUM_AHEAD, max_tokens=budget)
        if self._queue.is_contested:
            room = replace(
                room, max_slots_per_client=self._max_slots_per_client, held=self._slots_by_client()
            )
        return self._queue.take(room, is_idle=is_idle)

    def _slots_by_client(self) -> Counter[str]:
        held: Counter[str] = Counter()
        for entry in self._entries():
            held[entry.job.client.name] += entry.num_slots
        return held

    def _may_take(self) -> bool:
        # Whoever is tried again stays alone, so that no newcomer's fault becomes its own.
        is_retried = any(entry.is_retry for entry in self._decoder.keys)
        return bool(self._decoder.free_slots) and not self._prepared and not is_retried

    def _prepare(self, entries: list[Entry]) -> None:
        if not entries:
            return
        admitted_s = self._clock()
        preparation = self._decoder.prepare(
            [
                DecodeRequest(key=e, source_ids=e.job.source_ids, options=e.job.options)
                for e in entries
            ]
        )
        encoded_s = self._clock()
        for entry in entries:
            entry.admitted_s, entry.encoded_s = admitted_s, encoded_s
        for group in preparation.groups:
            self._count_group(group)
        self._prepared.extend(preparation.sentences)

    def _join(self) -> None:
        """Let those that are prepared begin, in order, as far as there are slots."""
        while self._prepared and self._prepared[0].num_slots <= self._decoder.free_slots:
            sentence = self._prepared.popleft()
            sentence.request.key.joined_s = self._clock()
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
        entry, now_s = finished.key, self._clock()
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
        """Empty the batch; its jobs are tried again one by one, and who is alone so has failed."""
        what = f"{type(error).__name__}: {error}"
        _log.error("batch failed", extra={"jobs": len(entries), "error": what})
        self._clear()
        pending = [entry for entry in entries if not entry.is_given_up]
        for entry in pending:
            if entry.is_retry:
                # The worker's thread works for no request: the id must be given.
                fields = {"request_id": entry.job.request_id, "source_tokens": entry.num_tokens}
                _log.error("job failed", extra={**fields, "error": what})
                self._fail(entry, TranslationFailedError("the model failed on this text"))
        again = [entry for entry in pending if not entry.is_retry]
        self._queue.retry(sorted(again, key=lambda entry: entry.submitted_s))

    def _clear(self) -> None:
        self._decoder.clear()
        self._prepared.clear()
        self._count_slots()

    def _fail(self, entry: Entry, error: ServiceError) -> None:
        if entry.future.set_running_or_notify_cancel():
            entry.future.set_exception(error)

    def _count_slots(self) -> None:
        """Report what changed: several workers share the gauge."""
        in_use = self._num_slots - self._decoder.free_slots
        self._metrics.slots_in_use.inc(in_use - self._slots_counted)
        self._slots_counted = in_use
