"""Bounds of the queue, overall and per client, and the rate at which it moves."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


class CompletionRate:
    """Completed jobs per second over a sliding window; not safe between threads."""

    def __init__(self, clock: Callable[[], float], window_s: float = 10.0) -> None:
        self._clock = clock
        self._window_s = window_s
        self._started_s = clock()
        self._completed_s: deque[float] = deque(maxlen=100_000)

    def add(self) -> None:
        """Count one job as completed now."""
        self._completed_s.append(self._clock())

    def seconds_for(self, num_jobs: float) -> float:
        """Expected seconds until `num_jobs` are completed, between 1 and 60."""
        now = self._clock()
        while self._completed_s and self._completed_s[0] < now - self._window_s:
            self._completed_s.popleft()
        span = min(self._window_s, max(now - self._started_s, 1e-3))
        rate = len(self._completed_s) / span
        return min(60.0, max(1.0, num_jobs / rate)) if rate else 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A party that shares the queue with others; hashable, so that jobs can be counted by it."""

    name: str = ""
    """Opaque: the id of an API key, or without keys something of the connection. Never a key,
    never a label of a metric, never in a log."""
    weight: float = 1.0
    """Its share relative to other clients that wait at the same time."""
    max_queued_jobs: int | None = None
    """Sentences that may wait for it; None: the limit for every client."""
    key_id: str = ""
    """Id of its API key, whose stored data it may use; empty for clients without one."""


INTERNAL_CLIENT = Client()
"""The client of the service's own jobs, and of commands that run without a server."""


MAX_SHORT_SENTENCES = 4
"""A request of so many sentences at most is short: what a person types and waits for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """What shares its client's part with other requests of that client; compared by identity."""

    num_sentences: int = 1

    @property
    def is_long(self) -> bool:
        """Whether it has so many sentences that others should not wait for all of them."""
        return self.num_sentences > MAX_SHORT_SENTENCES


INTERNAL_REQUEST = Request()
"""The request of jobs that belong to none."""

FlowKey = tuple[str, Request]
"""Name of a client and one of its requests: what takes turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """Bounds of the queue.

    By default a client may fill half of what the others leave: one alone half of the queue, two a
    third each, n of them 1 / (n + 1). So a new client always finds room.
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
        """Sentences of `client` that may wait beside `num_of_others` sentences of others."""
        if client.name == INTERNAL_CLIENT.name:
            return self.max_queued_jobs
        own = client.max_queued_jobs or self.max_queued_jobs_per_client
        return own or (self.max_queued_jobs - num_of_others) // 2

    def max_tokens_of(self, client: Client, num_of_others: int = 0) -> int:
        """Source tokens of `client` that may wait beside `num_of_others` tokens of others."""
        if client.name == INTERNAL_CLIENT.name:
            return self.max_queued_tokens
        own = self.max_queued_tokens_per_client
        return own or (self.max_queued_tokens - num_of_others) // 2
