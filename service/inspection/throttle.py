"""When inspection may run: a few at a time, and beside translations only a share of the time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.errors import OverloadedError
from service.observability.clock import Clock
from service.scheduling.deadline import deadline

_LONGEST_NAP_S = 0.02
"""How soon it is seen that the translations have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpareTimeLimits:
    """What inspection may take from translation."""

    max_turns: int = 2
    """Side by side; others wait."""
    max_waiting: int = 64
    """Beyond that, who asks is refused."""
    share: float = 0.05
    """Of the time, while translations run; all of it while there are none."""


class SpareTime:
    """Gives turns to inspections; belongs to one event loop.

    Each turn that was spent beside translations is paid for with a rest: a turn of t seconds ends
    with t * (1 / share - 1) seconds in which the next may not begin, unless no translation runs.
    """

    def __init__(
        self,
        limits: SpareTimeLimits,
        is_busy: Callable[[], bool],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Set the limits.

        Args:
            limits: How much.
            is_busy: Whether translations run, those of inspections included.
            clock: Monotonic, seconds.
            sleep: How to wait.
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
        """Wait for a turn, and take it for as long as the context lasts.

        Args:
            timeout_s: How long anybody waits for the whole.

        Yields:
            What is left of `timeout_s`.

        Raises:
            OverloadedError: Too many others are waiting; says when to come back.
            DeadlineExceededError: The turn did not come within `timeout_s`.
        """
        self._check_room()
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

    def _check_room(self) -> None:
        limits = self._limits
        if self._num_inside >= limits.max_turns + limits.max_waiting:
            raise OverloadedError(
                f"Slowdown: {self._num_inside} requests for attention maps or scores are inside, "
                f"the limit is {limits.max_turns + limits.max_waiting}",
                retry_after_s=max(1.0, self._rest_until_s - self._clock()),
            )
