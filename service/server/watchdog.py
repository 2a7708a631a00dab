"""Ends a process whose worker hangs: no thread can be ended, but a supervisor can start anew.

A graph that does not return holds its batch for ever. Its requests end with their deadlines, which
the event loop keeps; once it is certain, the others are answered too, and the process ends.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

EXIT_CODE = 70
"""`EX_SOFTWARE` of sysexits.h: not what a signal or a wrong setting gives."""
INTERVAL_S = 1.0
_LAST_WORDS_S = 1.0
"""Time for the last replies to reach their clients."""

_log = logging.getLogger(__name__)


class WatchedScheduler(Protocol):
    """What is looked at."""

    def is_alive(self, max_silence_s: float) -> bool:
        """Whether every worker came round within that time."""


class Watchdog:
    """Looks at the workers of all models once a second."""

    def __init__(
        self,
        schedulers: Callable[[], Iterable[WatchedScheduler]],
        *,
        max_hang_s: float,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        """Nothing is watched before `start`.

        Args:
            schedulers: Those of the present models.
            max_hang_s: A worker that is silent for this long hangs; 0: none ever does.
            end: Ends the process with an exit code, at once: an orderly end would wait for
                the worker.
        """
        self._schedulers = schedulers
        self._max_hang_s = max_hang_s
        self._end = end
        self._was_hanging = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, answer_all: Callable[[], object]) -> None:
        """Begin to look.

        Args:
            answer_all: Called before the end, from another thread: tells whoever waits.
        """
        self._thread = threading.Thread(
            target=self._run, args=[answer_all], name="pellucid-watchdog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Look no longer."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def look(self, answer_all: Callable[[], object]) -> None:
        """Look once; ends the process if a worker hangs, and did so at the last look.

        Twice, because the whole process may have stood still, or been stopped: then its workers
        need a moment to come round again.
        """
        schedulers = list(self._schedulers())
        is_hanging = self._max_hang_s > 0 and not all(
            scheduler.is_alive(self._max_hang_s) for scheduler in schedulers
        )
        if is_hanging and self._was_hanging:
            self._give_up(answer_all)
        self._was_hanging = is_hanging

    def _run(self, answer_all: Callable[[], object]) -> None:
        while not self._stopping.wait(INTERVAL_S):
            self.look(answer_all)

    def _give_up(self, answer_all: Callable[[], object]) -> None:
        fields = {"seconds": self._max_hang_s, "exit_code": EXIT_CODE}
        _log.critical("worker hangs, process ends", extra=fields)
        try:
            answer_all()
            self._stopping.wait(_LAST_WORDS_S)
        finally:
            self._end(EXIT_CODE)
