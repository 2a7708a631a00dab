"""Passes over finished pairs that wait for an engine: alignments first, then maps and scores."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from service.engine.inspection import IdPair, PairOutputs, WantedOutputs
from service.errors import ShuttingDownError


@dataclass(eq=False, slots=True, kw_only=True)
class Attend:
    """A pass between submission and result; compared and hashed by identity."""

    pairs: tuple[IdPair, ...]
    wanted: WantedOutputs
    is_urgent: bool = False
    """Whether a translation waits for it."""
    request_id: str | None = None
    """Id of the HTTP request that it belongs to, for the logs."""
    future: Future[tuple[PairOutputs, ...]] = field(default_factory=Future)
    """Cancelling it cancels the pass, at any time."""
    has_failed: bool = False
    """Whether an engine failed on it, or died over it; the next one is the last."""


class AttendQueue:
    """Unbounded, because what asks is bounded: requests are, and each has one pass at a time.

    First come, first served, so requests with several passes take turns; thread-safe.
    """

    def __init__(self) -> None:
        self._urgent: deque[Attend] = deque()
        self._others: deque[Attend] = deque()
        # By their futures, whose callbacks then hold no pass: that would be a cycle.
        self._unfinished: dict[Future[tuple[PairOutputs, ...]], Attend] = {}
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], object]] = []
        self._is_open = True

    def add_listener(self, wake: Callable[[], object]) -> None:
        """Call `wake`, on any thread, whenever a pass comes or is cancelled."""
        self._listeners = [*self._listeners, wake]

    def remove_listener(self, wake: Callable[[], object]) -> None:
        """Call `wake` no more."""
        self._listeners = [other for other in self._listeners if other != wake]

    def add(self, attend: Attend) -> None:
        """Append a pass.

        Raises:
            ShuttingDownError: The queue was closed.
        """
        with self._lock:
            if not self._is_open:
                raise ShuttingDownError("the service is shutting down: send the request elsewhere")
            self._waiting(attend).append(attend)
            self._unfinished[attend.future] = attend
        attend.future.add_done_callback(self._on_done)
        self._tell()

    def give_back(self, attend: Attend) -> None:
        """Put a pass that failed before all others; never refused."""
        with self._lock:
            self._waiting(attend).appendleft(attend)
        self._tell()

    def take(self) -> Attend | None:
        """Remove and return the next pass."""
        with self._lock:
            waiting = self._urgent or self._others
            return waiting.popleft() if waiting else None

    def close(self) -> None:
        """Refuse new passes from now on; queued ones are still taken."""
        with self._lock:
            self._is_open = False

    def _waiting(self, attend: Attend) -> deque[Attend]:
        return self._urgent if attend.is_urgent else self._others

    def _on_done(self, future: Future[tuple[PairOutputs, ...]]) -> None:
        with self._lock:
            attend = self._unfinished.pop(future)
            if not future.cancelled():
                return
            waiting = self._waiting(attend)
            if attend in waiting:
                waiting.remove(attend)
        self._tell()

    def _tell(self) -> None:
        for wake in self._listeners:  # replaced as a whole: no lock
            wake()
