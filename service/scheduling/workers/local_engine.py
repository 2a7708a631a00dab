"""An engine in this process: for commands that end soon, for tests, and for one processor."""

import threading
import time
from collections.abc import Callable, Sequence

from service.engine.graphs.sessions import Sessions
from service.engine.inspection import AttendRequest
from service.engine.loop import EngineLoop, Progress
from service.engine.prefill import DecodeRequest
from service.observability.clock import Clock


class LocalEngine:
    """See `EngineClient`; works while `work` is called, and stands still otherwise."""

    def __init__(
        self, sessions: Sessions, *, num_slots: int, clock: Clock = time.perf_counter
    ) -> None:
        """Allocate the cache."""
        self._loop: EngineLoop[int] = EngineLoop(sessions, num_slots=num_slots, clock=clock)
        self._num_slots = num_slots
        self._woken = threading.Event()

    @property
    def num_slots(self) -> int:
        """Rows that it decodes side by side."""
        return self._num_slots

    @property
    def silence_s(self) -> float:
        """None: `work` returns only when it is well."""
        return 0.0

    def launch(self) -> None:
        """Nothing is to be started."""

    def start(self) -> None:
        """Nothing is to be started."""

    def submit(self, requests: Sequence[DecodeRequest[int]], *, is_urgent: bool = False) -> None:
        """Give it sentences; urgent ones begin before those that have no slots yet."""
        self._loop.submit(requests, is_urgent=is_urgent)

    def attend(self, request: AttendRequest[int]) -> None:
        """Give it finished pairs to inspect."""
        self._loop.attend(request)

    def cancel(self, handles: Sequence[int]) -> None:
        """Let it drop sentences and passes."""
        self._loop.cancel(handles)

    def work(self, timeout_s: float) -> Progress[int]:
        """Iterate once; without work wait for `wake`, for `timeout_s` seconds at most."""
        if self._loop.is_idle:
            self._woken.wait(timeout_s)
        self._woken.clear()
        progress: Progress[int] = Progress()
        if not self._loop.is_idle:
            self._loop.iterate(progress)
        progress.slots_in_use = self._loop.slots_in_use
        return progress

    @property
    def wake(self) -> Callable[[], object]:
        """Lets `work` return."""
        return self._woken.set

    def give_up(self) -> None:
        """Nothing is being started."""

    def close(self) -> None:
        """Nothing is to be ended."""
