"""How much may wait: of everybody together, and of one client."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One party among which the queue is shared; hashable, so that it can be counted by."""

    name: str = ""
    """Opaque: the id of a key, or where no keys are used something of the connection. Never a key,
    never a label of a metric, never in a log."""
    weight: float = 1.0
    """Its share beside that of others who wait at the same time."""
    max_queued_jobs: int | None = None
    """Sentences of it that may wait; None: what the settings say for everybody."""


NOBODY = Client()
"""The service's own work, and commands that run without a server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """Bounds of the queue.

    Unless it is said, a client may have half of what others leave: one alone half of everything,
    two a third each, n of them 1 / (n + 1). So there is always room for one who comes new.
    """

    max_queued_jobs: int = 1024
    """Sentences that may wait."""
    max_queued_tokens: int = 65536
    """Source tokens that may wait."""
    max_queued_jobs_per_client: int | None = None
    """Sentences of one client that may wait; None: half of what others leave."""
    max_queued_tokens_per_client: int | None = None
    """Source tokens of one client that may wait; None: half of what others leave."""

    def max_jobs_of(self, client: Client, num_of_others: int = 0) -> int:
        """Sentences of `client` that may wait beside those of others."""
        if client.name == NOBODY.name:
            return self.max_queued_jobs
        own = client.max_queued_jobs or self.max_queued_jobs_per_client
        return own or (self.max_queued_jobs - num_of_others) // 2

    def max_tokens_of(self, client: Client, num_of_others: int = 0) -> int:
        """Source tokens of `client` that may wait beside those of others."""
        if client.name == NOBODY.name:
            return self.max_queued_tokens
        own = self.max_queued_tokens_per_client
        return own or (self.max_queued_tokens - num_of_others) // 2
