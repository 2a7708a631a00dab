"""Throttles inspection: a few at a time, and beside translations a share of the time."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.errors import OverloadedError
from service.observability.clock import Clock
from service.scheduling.deadline import deadline
from service.scheduling.limits import INTERNAL_CLIENT, Client

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


class _Turns:
    """A number of turns: clients that wait are served in turn, each client's own in order."""

    def __init__(self, num_turns: int) -> None:
        self._num_free = num_turns
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """By client; the one that is next comes first."""

    async def acquire(self, client: str) -> None:
        """Wait for a turn."""
        if self._num_free:
            self._num_free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # it came at the same moment
            else:
                self._forget(client, turn)
            raise

    def release(self) -> None:
        """Give a turn back: to the next client that waits."""
        while self._waiting:
            client, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[client] = turns
            if not turn.done():  # not cancelled meanwhile
                turn.set_result(None)
                return
        self._num_free += 1

    def _forget(self, client: str, turn: "asyncio.Future[None]") -> None:
        turns = self._waiting.get(client, deque())
        if turn in turns:
            turns.remove(turn)
        if not turns:
            self._waiting.pop(client, None)


class Throttle:
    """Grants turns to inspections; belongs to one event loop.

    Clients are served in turn, and each may have half of the places that the others leave. A turn
    of t seconds beside translations is followed by a rest of t * (1 / share - 1) seconds, in which
    no other turn begins unless the translations end.
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
        self._turns = _Turns(limits.max_turns)
        self._num_inside: Counter[str] = Counter()
        """Inspections of each client that wait or have a turn."""
        self._rest_until_s = 0.0

    @asynccontextmanager
    async def turn(
        self, timeout_s: float | None, client: Client = INTERNAL_CLIENT
    ) -> AsyncIterator[float | None]:
        """Waits for a turn, which lasts as long as the context.

        Args:
            timeout_s: Time limit for the wait and the work.
            client: Waits beside others.

        Yields:
            The rest of `timeout_s`.

        Raises:
            OverloadedError: Too many inspections wait, of all clients or of this one; tells when
                to retry.
            DeadlineExceededError: The turn did not come within `timeout_s`.
        """
        self.check(client)
        asked_s = self._clock()
        self._num_inside[client.name] += 1
        try:
            async with self._entered(timeout_s, client.name):
                waited_s = self._clock() - asked_s
                yield None if timeout_s is None else max(0.0, timeout_s - waited_s)
        finally:
            self._num_inside[client.name] -= 1
            self._num_inside += Counter()  # without clients that have none

    @asynccontextmanager
    async def _entered(self, timeout_s: float | None, client: str) -> AsyncIterator[None]:
        async with deadline(timeout_s, "the deadline passed before the attention maps"):
            await self._enter(client)
        began_s = self._clock()
        try:
            yield
        finally:
            self._leave(began_s)

    async def _enter(self, client: str) -> None:
        await self._turns.acquire(client)
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

    def check(self, client: Client) -> None:
        """Check that another inspection of `client` may wait.

        Raises:
            OverloadedError: Too many wait, of all clients or of this one.
        """
        limit = self._limits.max_turns + self._limits.max_waiting
        num_inside, own = self._num_inside.total(), self._num_inside[client.name]
        is_internal = client.name == INTERNAL_CLIENT.name
        most = limit if is_internal else max(1, (limit - num_inside + own) // 2)
        if num_inside >= limit or own >= most:
            raise OverloadedError(
                f"Slowdown: {num_inside} requests for attention maps or scores are inside, {own} "
                f"of this client; the limit is {limit}, for a client half of what others leave",
                retry_after_s=max(1.0, self._rest_until_s - self._clock()),
            )
