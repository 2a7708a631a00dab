"""Ends the process when a worker thread hangs, so that a supervisor restarts it.

A thread cannot be ended from outside. Engine processes can: those that hang are replaced by
their dispatcher, and are not watched here.

A graph that does not return holds its batch for ever. Its requests end with their deadlines, which
the event loop keeps; once it is certain, the others are answered too, and the process ends.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

EXIT_CODE = 70
"""`EX_SOFTWARE` of sysexits.h; differs from the codes of signals and of wrong settings."""
INTERVAL_S = 1.0
_FLUSH_S = 1.0
"""Time for the last replies to reach their clients."""

_log = logging.getLogger(__name__)


class WatchedScheduler(Protocol):
    """The scheduler of a model, as the watchdog sees it."""

    def is_alive(self, heartbeat_timeout_s: float) -> bool:
        """Whether every worker had a heart-beat within that time."""


class Watchdog:
    """Checks the heart-beats of all workers once a second, in a thread of its own."""

    def __init__(
        self,
        schedulers: Callable[[], Iterable[WatchedScheduler]],
        *,
        watchdog_timeout_s: float,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        """Nothing is watched before `start`.

        Args:
            schedulers: Returns the schedulers of the models that run.
            watchdog_timeout_s: Age of a heartbeat from which a worker hangs; 0: never.
            end: Ends the process with an exit code, without cleaning up, which would wait for the
                worker.
        """
        self._schedulers = schedulers
        self._watchdog_timeout_s = watchdog_timeout_s
        self._end = end
        self._was_hanging = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, answer_all: Callable[[], object]) -> None:
        """Start the thread.

        Args:
            answer_all: Called from the thread before the end; answers all requests in flight.
        """
        self._thread = threading.Thread(
            target=self._run, args=[answer_all], name="pellucid-watchdog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def check(self, answer_all: Callable[[], object]) -> None:
        """Check once; ends the process if a worker hangs at two checks in a row.

        Two, because after a pause of the whole process (SIGSTOP, a suspended machine) the workers
        need a moment for their next heart-beat.
        """
        schedulers = list(self._schedulers())
        is_hanging = self._watchdog_timeout_s > 0 and not all(
            scheduler.is_alive(self._watchdog_timeout_s) for scheduler in schedulers
        )
        if is_hanging and self._was_hanging:
            self._end_process(answer_all)
        self._was_hanging = is_hanging

    def _run(self, answer_all: Callable[[], object]) -> None:
        while not self._stopping.wait(INTERVAL_S):
            self.check(answer_all)

    def _end_process(self, answer_all: Callable[[], object]) -> None:
        fields = {"seconds": self._watchdog_timeout_s, "exit_code": EXIT_CODE}
        _log.critical("worker hangs, process ends", extra=fields)
        try:
            answer_all()
            self._stopping.wait(_FLUSH_S)
        finally:
            self._end(EXIT_CODE)
