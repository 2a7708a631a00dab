"""How fast jobs end: what those who are refused are told to wait for."""

from collections import deque
from collections.abc import Callable


class DrainRate:
    """How fast jobs end, over a sliding window; not safe between threads."""

    def __init__(self, clock: Callable[[], float], window_s: float = 10.0) -> None:
        self._clock = clock
        self._window_s = window_s
        self._started_s = clock()
        self._ends: deque[float] = deque(maxlen=100_000)

    def add(self) -> None:
        """One job has ended now."""
        self._ends.append(self._clock())

    def seconds_for(self, num_jobs: float) -> float:
        """Expected seconds until `num_jobs` have ended, between 1 and 60."""
        now = self._clock()
        while self._ends and self._ends[0] < now - self._window_s:
            self._ends.popleft()
        span = min(self._window_s, max(now - self._started_s, 1e-3))
        rate = len(self._ends) / span
        return min(60.0, max(1.0, num_jobs / rate)) if rate else 60.0
