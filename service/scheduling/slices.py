"""Work of a thread in slices of a millisecond, with rests between them.

Meanwhile a thread that runs Python holds the interpreter's lock most of the time, and all other
threads wait for it at each of their system calls.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextvars import ContextVar
from typing import TypeVar

SLICE_S = 0.001
"""Time after which work lets others in, at its next breath."""
SENTENCES_A_BREATH = 4
"""How many may be worked on before it is asked whether that time is over."""
REST_TO_WORK = 2.0
"""A rest is so many times as long as the slice before it."""

Result = TypeVar("Result")


def breathe() -> None:
    """Ends the slice if it is over; does nothing outside of such work.

    Called between sentences of a text, and between maps and rows of a reply.

    Raises:
        CancelledError: The caller does not wait for the work any more.
    """
    work = _WORK.get()
    if work is not None:
        work.breathe()


class Baton:
    """A lock that goes to the thread that has waited longest, after a rest."""

    def __init__(self, has_company: Callable[[], bool]) -> None:
        """Creates one that is not held.

        Args:
            has_company: Whether a rest would be of use to others; called in any thread.
        """
        self._has_company = has_company
        self._lock = threading.Lock()
        self._is_held = False
        self._waiting: deque[threading.Lock] = deque()
        self._rests_until_s = 0.0

    def acquire(self) -> None:
        """Wait for the baton, and for the end of the rest."""
        with self._lock:
            gate = threading.Lock() if self._is_held else None
            self._is_held = True
            if gate is not None:
                gate.acquire()
                self._waiting.append(gate)
        if gate is not None:
            gate.acquire()
        time.sleep(max(0.0, self._rests_until_s - time.monotonic()))

    def release(self, worked_s: float) -> None:
        """Hand the baton on; beside others a rest of `REST_TO_WORK` times this work follows."""
        rest_s = REST_TO_WORK * worked_s if self._has_company() else 0.0
        self._rests_until_s = time.monotonic() + rest_s
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_held = False


class Work:
    """What one thread does for a client."""

    def __init__(self, baton: Baton) -> None:
        self.is_wanted = True
        """False once its caller has left; any thread may say so."""
        self._baton = baton
        self._since_s = 0.0

    def run(self, function: Callable[[], Result]) -> Result:
        """What the function returns, which calls `breathe` from time to time."""
        _WORK.set(self)
        self._begin()
        try:
            self._check()
            return function()
        finally:
            self._baton.release(time.monotonic() - self._since_s)

    def breathe(self) -> None:
        """Let others work if the slice is over."""
        worked_s = time.monotonic() - self._since_s
        if worked_s >= SLICE_S:
            self._baton.release(worked_s)
            self._begin()
            self._check()

    def _begin(self) -> None:
        self._baton.acquire()
        self._since_s = time.monotonic()

    def _check(self) -> None:
        if not self.is_wanted:
            raise CancelledError


_WORK: ContextVar[Work | None] = ContextVar("work in slices", default=None)
