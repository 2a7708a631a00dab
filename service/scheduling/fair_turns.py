"""Shares the event loop: work of a client beyond a little waits for the next turn of the loop.

Every task that is ready runs before the loop looks for new requests. So the sixty sentences of a
request that a cache answers at once, or twelve streams that go on together, would hold up each of
the few turns that another client's request takes.
"""

import asyncio
from collections import Counter, deque

from service.scheduling.limits import INTERNAL_CLIENT, Client

MAX_CHARS_PER_TURN = 500
"""Of a client: characters of texts, and what costs as much. About two milliseconds."""
SMALL_CHARS = 250
"""Of a piece of work that is not counted: a turn would cost too much beside it."""
CHARS_OF_A_JOB = 100
"""What the loop does for one of many sentences costs as much."""


class FairTurns:
    """Lets each client do a little in a turn of the event loop; for one loop at a time."""

    def __init__(self, max_per_turn: int = MAX_CHARS_PER_TURN) -> None:
        self._max_per_turn = max_per_turn
        self._taken: Counter[Client] = Counter()
        """In this turn."""
        self._waiting: dict[Client, deque[tuple[asyncio.Future[None], int]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        """Where the next turn is awaited; None: nothing was taken in this one."""

    async def take(self, client: Client, num_chars: int) -> None:
        """Goes on at once while the client has taken little, else in one of the next turns.

        Args:
            client: Whose work it is; the service's own never waits.
            num_chars: What the work costs; the last of a turn may cost more than there is.
        """
        if client == INTERNAL_CLIENT:
            return
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._begin(loop)
        if client not in self._waiting and self._taken[client] < self._max_per_turn:
            self._taken[client] += num_chars
            return
        place = loop.create_future()
        self._waiting.setdefault(client, deque()).append((place, num_chars))
        await place

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not None:  # it has ended, with all that waited on it
            self._waiting.clear()
            self._taken.clear()
        self._loop = loop
        loop.call_soon(self._next_turn, loop)

    def _next_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._taken.clear()
        for client in list(self._waiting):
            self._let_go(client)
        if self._taken:
            loop.call_soon(self._next_turn, loop)
        else:
            self._loop = None

    def _let_go(self, client: Client) -> None:
        """Wake what a client may do in this turn."""
        places = self._waiting[client]
        while places and self._taken[client] < self._max_per_turn:
            place, num_chars = places.popleft()
            if not place.done():  # not cancelled meanwhile
                self._taken[client] += num_chars
                place.set_result(None)
        if not places:
            del self._waiting[client]
