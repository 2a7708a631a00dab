"""Threads that work on long texts, so that the event loop stays free; clients take turns."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from service.scheduling.limits import Client

MAX_INLINE_CHARS = 1_000
"""Default: so much text takes about ten milliseconds at worst."""
_NUM_THREADS = 2
"""Each takes the GIL in turn with the event loop, which waits once for every one of them."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class TextThreads:
    """Runs work on long texts in a few threads; used from one event loop."""

    def __init__(self, max_inline_chars: int = MAX_INLINE_CHARS) -> None:
        """Starts no thread before there is work for it.

        Args:
            max_inline_chars: Work on texts up to this length is done on the event loop: the
                switch to a thread would cost more.
        """
        self._max_inline_chars = max_inline_chars
        self._executor = ThreadPoolExecutor(_NUM_THREADS, thread_name_prefix="pellucid-text")
        self._num_free = _NUM_THREADS
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
            client: Whose text it is; no client waits for more than one text of each other one.
            num_chars: Characters that it works on.
            function: Must be safe outside of the event loop.
            args: Its arguments.
            kwargs: Its arguments.
        """
        if num_chars <= self._max_inline_chars:
            return function(*args, **kwargs)
        await self._turn(client)
        call = partial(copy_context().run, partial(function, *args, **kwargs))
        try:
            work = self._executor.submit(call)
        except RuntimeError:  # closed
            self._give_back()
            raise
        # Not when the caller leaves: a thread cannot be stopped.
        work.add_done_callback(partial(self._give_back_from_thread, asyncio.get_running_loop()))
        return await asyncio.wrap_future(work)

    def close(self) -> None:
        """Drops the work that has not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, client: Client) -> None:
        if self._num_free:
            self._num_free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it came at the same moment
                self._give_back()
            raise

    def _give_back_from_thread(self, loop: asyncio.AbstractEventLoop, _: "Future[Result]") -> None:
        with suppress(RuntimeError):  # the loop has ended before the work
            loop.call_soon_threadsafe(self._give_back)

    def _give_back(self) -> None:
        """Gives a thread to the next client, whose further texts then wait behind all others."""
        while self._waiting:
            client = next(iter(self._waiting))
            turns = self._waiting.pop(client)
            turn = turns.popleft()
            if turns:
                self._waiting[client] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._num_free += 1
