"""Places that clients share: each may have half of what the others leave."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from service.scheduling.limits import INTERNAL_CLIENT


def share_of(limit: int, num_of_others: int, client: str) -> int:
    """What `client` may have of `limit` where others have `num_of_others`; at least 1."""
    if client == INTERNAL_CLIENT.name:
        return limit
    return max(1, (limit - num_of_others) // 2)


@dataclass(slots=True, kw_only=True, eq=False)
class _Waiter:
    client: str
    granted: "asyncio.Future[None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class FairSlots:
    """A semaphore whose slots go to clients that have few of them; for one event loop."""

    def __init__(self, num_slots: int) -> None:
        self._num_slots = num_slots
        self._taken: Counter[str] = Counter()
        self._waiters: list[_Waiter] = []

    @asynccontextmanager
    async def slot(self, client: str) -> AsyncIterator[None]:
        """Wait for a slot, and give it back at the end."""
        waiter = _Waiter(client=client)
        self._waiters.append(waiter)
        self._grant()
        try:
            await waiter.granted
            yield
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            else:
                self._taken[client] -= 1
                self._grant()

    def _grant(self) -> None:
        """Give free slots away: to the client with the fewest, in the order of arrival."""
        for waiter in sorted(self._waiters, key=lambda waiter: self._taken[waiter.client]):
            if not waiter.granted.done() and self._may_take(waiter.client):
                self._waiters.remove(waiter)
                self._taken[waiter.client] += 1
                waiter.granted.set_result(None)

    def _may_take(self, client: str) -> bool:
        total, own = self._taken.total(), self._taken[client]
        return total < self._num_slots and own < share_of(self._num_slots, total - own, client)
