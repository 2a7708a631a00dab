"""Throttles inspection: a few at a time, and beside translations a share of the time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.errors import OverloadedError
from service.observability.clock import Clock
from service.scheduling.deadline import deadline

_LONGEST_NAP_S = 0.02
"""Longest sleep before the end of translations is noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleLimits:
    """Limits of inspection beside translation."""

    max_turns: int = 2
    """Inspections at the same time; further ones wait."""
    max_waiting: int = 64
    """Inspections that wait; further ones are refused."""
    share: float = 0.05
    """Share of the time while translations run; without translations all of it."""


class Throttle:
    """Grants turns to inspections; belongs to one event loop.

    A turn of t seconds beside translations is followed by a rest of t * (1 / share - 1) seconds,
    in which no other turn begins unless the translations end.
    """

    def __init__(
        self,
        limits: ThrottleLimits,
        is_busy: Callable[[], bool],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Creates an idle throttle.

        Args:
            limits: Of inspections.
            is_busy: Whether translations run, those of inspections included.
            clock: Monotonic, seconds.
            sleep: Waits; a test's may be faster.
        """
        self._limits = limits
        self._is_busy = is_busy
        self._clock = clock
        self._sleep = sleep
        self._turns = asyncio.Semaphore(limits.max_turns)
        self._num_inside = 0
        self._rest_until_s = 0.0

    @asynccontextmanager
    async def turn(self, timeout_s: float | None) -> AsyncIterator[float | None]:
        """Waits for a turn, which lasts as long as the context.

        Args:
            timeout_s: Time limit for the wait and the work.

        Yields:
            The rest of `timeout_s`.

        Raises:
            OverloadedError: Too many inspections wait; tells when to retry.
            DeadlineExceededError: The turn did not come within `timeout_s`.
        """
        self._check_waiting()
        asked_s = self._clock()
        self._num_inside += 1
        try:
            async with self._entered(timeout_s):
                waited_s = self._clock() - asked_s
                yield None if timeout_s is None else max(0.0, timeout_s - waited_s)
        finally:
            self._num_inside -= 1

    @asynccontextmanager
    async def _entered(self, timeout_s: float | None) -> AsyncIterator[None]:
        async with deadline(timeout_s, "the deadline passed before the attention maps"):
            await self._enter()
        began_s = self._clock()
        try:
            yield
        finally:
            self._leave(began_s)

    async def _enter(self) -> None:
        await self._turns.acquire()
        try:
            while self._is_busy() and (rest_s := self._rest_until_s - self._clock()) > 0:
                await self._sleep(min(rest_s, _LONGEST_NAP_S))
        except BaseException:
            self._turns.release()
            raise

    def _leave(self, began_s: float) -> None:
        now_s = self._clock()
        if self._is_busy():
            rest_s = (now_s - began_s) * (1 / self._limits.share - 1)
            self._rest_until_s = max(self._rest_until_s, now_s) + rest_s
        else:
            self._rest_until_s = 0.0
        self._turns.release()

    def _check_waiting(self) -> None:
        limits = self._limits
        if self._num_inside >= limits.max_turns + limits.max_waiting:
            raise OverloadedError(
                f"Slowdown: {self._num_inside} requests for attention maps or scores are inside, "
                f"the limit is {limits.max_turns + limits.max_waiting}",
                retry_after_s=max(1.0, self._rest_until_s - self._clock()),
            )
