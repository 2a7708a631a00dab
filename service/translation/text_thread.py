"""Threads that work on long texts, so that the event loop stays free; clients share the time.

One of them works at a time, in slices of a few milliseconds with rests between: meanwhile it holds
the interpreter's lock most of the time. So a text delays another client's by its slices, and the
event loop by one, however long it takes.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from service.scheduling.fair_turns import SMALL_CHARS, FairTurns
from service.scheduling.limits import Client
from service.scheduling.slices import Baton, Work

MAX_INLINE_CHARS = 1_000
"""Default: so much text takes about ten milliseconds at worst."""
MAX_SIDE_BY_SIDE = 4
"""Clients whose texts take turns slice by slice; those of further ones wait for one of them."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class TextThread:
    """Runs work on long texts in slices; used from one event loop at a time."""

    def __init__(
        self,
        max_inline_chars: int = MAX_INLINE_CHARS,
        has_company: Callable[[], bool] = lambda: True,
    ) -> None:
        """Starts no thread before there is work for it.

        Args:
            max_inline_chars: Work on texts up to this length is done on the event loop: the
                switch to a thread would cost more.
            has_company: Whether others may wait for what a slice keeps from them: without them
                no rest follows it. Called in any thread.
        """
        self._max_inline_chars = max_inline_chars
        self._executor = ThreadPoolExecutor(MAX_SIDE_BY_SIDE, thread_name_prefix="pellucid-text")
        self._baton = Baton(has_company)
        self._turns = FairTurns()
        self._running: set[Client] = set()
        """Clients with a text in a thread."""
        self._waiting: dict[Client, deque[asyncio.Future[None]]] = {}
        """Those that wait for a thread; the client whose turn is next comes first."""

    async def run(
        self,
        client: Client,
        num_chars: int,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Calls `function`, in a thread if it works on much text.

        Args:
            client: Whose text it is; each has one text at work.
            num_chars: Characters that it works on.
            function: Must be safe outside of the event loop.
            args: Its arguments.
            kwargs: Its arguments.
        """
        if num_chars <= self._max_inline_chars:
            if num_chars > SMALL_CHARS:
                await self._turns.take(client, num_chars)
            return function(*args, **kwargs)
        await self._place(client)
        work = Work(self._baton)
        call = partial(copy_context().run, work.run, partial(function, *args, **kwargs))
        try:
            future = self._executor.submit(call)
        except RuntimeError:  # closed
            self._give_back(client)
            raise
        # Not when the caller leaves: until its next breath a thread cannot be stopped.
        loop = asyncio.get_running_loop()
        future.add_done_callback(partial(self._give_back_from_thread, loop, client))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            work.is_wanted = False
            raise

    async def run_apart(
        self,
        client: Client,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Calls `function` in a thread, however little text there is: see `run`."""
        return await self.run(client, self._max_inline_chars + 1, function, *args, **kwargs)

    def close(self) -> None:
        """Drops the work that has not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _place(self, client: Client) -> None:
        """Waits until the client has no other text at work, and a thread is free."""
        if client not in self._running and len(self._running) < MAX_SIDE_BY_SIDE:
            self._running.add(client)
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it came at the same moment
                self._give_back(client)
            raise

    def _give_back_from_thread(
        self, loop: asyncio.AbstractEventLoop, client: Client, _: "Future[Result]"
    ) -> None:
        try:
            loop.call_soon_threadsafe(self._give_back, client)
        except RuntimeError:  # the loop has ended before the work, with all that waited on it
            self._waiting.clear()
            self._running.clear()

    def _give_back(self, client: Client) -> None:
        """Gives a place to the next client without one; its further texts wait behind all others.

        A client that was given a place at the same moment as another finds it in its own queue.
        """
        self._running.discard(client)
        for following in [each for each in self._waiting if each not in self._running]:
            if len(self._running) == MAX_SIDE_BY_SIDE:
                return
            self._grant(following)

    def _grant(self, client: Client) -> None:
        places = self._waiting.pop(client)
        while places:
            place = places.popleft()
            if not place.done():  # not cancelled meanwhile
                self._running.add(client)
                place.set_result(None)
                break
        if places:
            self._waiting[client] = places
