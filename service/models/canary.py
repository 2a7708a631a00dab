"""The canary of a model: a sentence with a known translation, as a readiness probe.

It is queued like every other job, because a busy model is not a broken one.
"""

import logging
import threading
import time
from concurrent.futures import Future

from bundle.reader import Bundle
from service.engine.search.options import DecodeOptions
from service.errors import OverloadedError, ShuttingDownError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.job import Job, JobResult
from service.scheduling.scheduler import Scheduler

_log = logging.getLogger(__name__)


class Canary:
    """Translates the canary sentence at intervals, once at a time; safe between threads."""

    def __init__(
        self,
        bundle: Bundle,
        scheduler: Scheduler,
        metrics: Metrics,
        *,
        interval_s: float,
        clock: Clock = time.monotonic,
    ) -> None:
        """Prepare the job.

        Args:
            bundle: The bundle with the canary sentence.
            scheduler: Scheduler of the same bundle.
            metrics: Counts failures.
            interval_s: Age up to which a verdict is reused.
            clock: Monotonic, seconds.
        """
        self._name = bundle.manifest.name
        self._expected = bundle.manifest.canary.target_ids
        self._job = _canary_job(bundle)
        self._scheduler = scheduler
        self._metrics = metrics
        self._interval_s = interval_s
        self._clock = clock
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._started_s: float | None = None
        self._fault: str | None = "the canary sentence has not been translated yet"

    @property
    def fault(self) -> str | None:
        """The fault of the last translation; None if it was as expected."""
        return self._fault

    def check(self) -> None:
        """Start a translation, unless one runs or the last verdict is fresh; returns at once."""
        with self._lock:
            if self._is_due():
                self._start()

    def wait(self, timeout_s: float) -> None:
        """Wait for the verdict on the running translation, `timeout_s` seconds at most."""
        self._idle.wait(timeout_s)

    def _is_due(self) -> bool:
        if not self._idle.is_set():
            return False
        return self._started_s is None or self._clock() - self._started_s >= self._interval_s

    def _start(self) -> None:
        try:
            running = self._scheduler.submit(self._job)
        except (OverloadedError, ShuttingDownError):
            return  # the last verdict remains
        self._started_s = self._clock()
        self._idle.clear()
        running.add_done_callback(self._judge)

    def _judge(self, future: Future[JobResult]) -> None:
        """Runs in the worker's thread; a plain assignment needs no lock."""
        if not (future.cancelled() or isinstance(future.exception(), ShuttingDownError)):
            self._fault = self._fault_in(future)
            if self._fault:
                self._metrics.canary_failures.inc()
                _log.error("canary failed", extra={"model": self._name, "reason": self._fault})
        self._idle.set()

    def _fault_in(self, future: Future[JobResult]) -> str | None:
        if error := future.exception():
            return f"the canary sentence failed: {error}"
        if future.result().hypotheses[0].target_ids != self._expected:
            return "the canary sentence came out differently: this machine computes other results"
        return None


def _canary_job(bundle: Bundle) -> Job:
    manifest = bundle.manifest
    canary = manifest.canary
    return Job(
        source_ids=tuple(bundle.tokenizer.encode_source(canary.source_text, canary.pair)),
        options=DecodeOptions(
            max_target_tokens=manifest.max_target_tokens,
            with_scores=False,
        ),
        must_run=True,  # a cached result would prove nothing about the workers
    )
