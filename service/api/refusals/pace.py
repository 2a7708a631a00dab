"""Paces the refusals of a client that asks again at once: see decision 86.

Each refusal takes the event loop about as long as a short translation, and a client that ignores
`Retry-After` gets as many of them as it can send requests.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from service.observability.clock import Clock

_WINDOW_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceLimits:
    """How fast refusals leave."""

    max_per_s: int = 20
    """Refusals of a client that leave at once in a second; further ones are held."""
    pause_s: float = 0.5
    """For which a refusal is held, and twice that at most."""
    gap_s: float = 0.02
    """Between two held refusals of a client, so that they do not come back in a crowd."""
    max_held_per_client: int = 128
    """Refusals of a client held at the same time; further ones leave at once."""
    max_held: int = 512
    """Of all clients."""


class RefusalPace:
    """Counts and holds the refusals of each client; for one event loop.

    A held refusal is a small reply and nothing else: its request has left all queues and places.
    """

    def __init__(
        self,
        limits: PaceLimits,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Begin with no refusals.

        Args:
            limits: How fast they leave.
            clock: Monotonic, seconds.
            sleep: Waits; a test's may be faster.
        """
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._window_ends_s = 0.0
        self._counted: Counter[str] = Counter()
        """Refusals in this window, by client."""
        self._held: Counter[str] = Counter()
        self._num_held = 0
        self._due_s: dict[str, float] = {}
        """When the last of the held refusals of a client leaves."""

    @property
    def num_held(self) -> int:
        """Refusals that wait."""
        return self._num_held

    def is_exceeded(self, client: str) -> bool:
        """Whether the next refusal of `client` would be held."""
        return self._of_window()[client] >= self._limits.max_per_s

    async def take(self, client: str) -> None:
        """Count a refusal, and wait if `client` has had too many in this second."""
        is_exceeded = self.is_exceeded(client)
        self._counted[client] += 1
        if not is_exceeded or self._is_full(client):
            return
        self._held[client] += 1
        self._num_held += 1
        try:
            await self._sleep(self._delay_s(client))
        finally:
            self._num_held -= 1
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client], self._due_s[client]

    def _of_window(self) -> Counter[str]:
        now_s = self._clock()
        if now_s >= self._window_ends_s:
            self._window_ends_s = now_s + _WINDOW_S
            self._counted.clear()
        return self._counted

    def _is_full(self, client: str) -> bool:
        limits = self._limits
        return self._held[client] >= limits.max_held_per_client or self._num_held >= limits.max_held

    def _delay_s(self, client: str) -> float:
        now_s, pause_s = self._clock(), self._limits.pause_s
        behind_last_s = self._due_s.get(client, 0.0) + self._limits.gap_s
        self._due_s[client] = min(max(now_s + pause_s, behind_last_s), now_s + 2 * pause_s)
        return self._due_s[client] - now_s
