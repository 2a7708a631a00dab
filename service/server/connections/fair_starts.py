"""Starts requests address by address: a flood from one delays another's by one turn, not by itself.

Every request that is ready runs before the event loop looks for new ones, so eighty that are
refused at half a millisecond each would hold up each of the few turns that another one takes.
"""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable

MAX_PER_TURN = 2
"""Requests of an address that start in one turn of the event loop, while few of them wait."""
MAX_WAITING_TURNS = 4
"""Turns in which as many start as wait, if as many come and nothing else bounds how many wait: a
crowd that comes faster than two in a turn would else be a queue without end."""

Start = Callable[[], object]


class FairStarts:
    """Lets a few requests of each address start per turn of the event loop; for one loop."""

    def __init__(self, max_per_turn: int = MAX_PER_TURN) -> None:
        self._max_per_turn = max_per_turn
        self._num_started: Counter[str] = Counter()
        """In this turn, by address."""
        self._waiting: dict[str, deque[tuple[Start, bool]]] = {}
        """Each with whether it is bounded."""
        self._num_unbounded: Counter[str] = Counter()
        """Of those that wait."""
        self._is_scheduled = False

    def start(self, address: str, start: Start, *, is_bounded: bool = False) -> None:
        """Call `start` at once, or in one of the next turns.

        Args:
            address: Whose request it is.
            start: Begins it.
            is_bounded: Whether requests of its kind are refused where too many wait.
        """
        if address in self._waiting or self._num_started[address] >= self._max_per_turn:
            self._waiting.setdefault(address, deque()).append((start, is_bounded))
            self._num_unbounded[address] += not is_bounded
        else:
            self._num_started[address] += 1
            start()
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._begin_turn)

    def _begin_turn(self) -> None:
        self._is_scheduled = False
        self._num_started.clear()
        for address, starts in list(self._waiting.items()):
            unbounded = math.ceil(self._num_unbounded[address] / MAX_WAITING_TURNS)
            self._num_started[address] = min(len(starts), max(self._max_per_turn, unbounded))
            for _ in range(self._num_started[address]):
                start, is_bounded = starts.popleft()
                self._num_unbounded[address] -= not is_bounded
                start()
            if not starts:
                del self._waiting[address], self._num_unbounded[address]
        if self._num_started:
            self._schedule()
