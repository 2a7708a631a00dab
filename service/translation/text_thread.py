"""A thread that works on long texts, so that the event loop stays free; clients take turns."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from service.scheduling.limits import Client

MAX_INLINE_CHARS = 1_000
"""Default: so much text takes about ten milliseconds at worst."""
_REST_TO_WORK = 1.0
"""It rests as long as it has worked: meanwhile it held the interpreter's lock most of the time."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class TextThread:
    """Runs work on long texts one after another; used from one event loop at a time."""

    def __init__(self, max_inline_chars: int = MAX_INLINE_CHARS) -> None:
        """Starts no thread before there is work for it.

        Args:
            max_inline_chars: Work on texts up to this length is done on the event loop: the
                switch to a thread would cost more.
        """
        self._max_inline_chars = max_inline_chars
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="pellucid-text")
        self._is_free = True
        self._rests_until_s = 0.0
        self._waiting: dict[Client, deque[asyncio.Future[None]]] = {}
        """Those that wait for the thread; the client whose turn is next comes first."""

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
        try:
            await asyncio.sleep(self._rests_until_s - time.monotonic())
        except asyncio.CancelledError:
            self._give_back()
            raise
        call = partial(copy_context().run, partial(function, *args, **kwargs))
        try:
            work = self._executor.submit(call)
        except RuntimeError:  # closed
            self._give_back()
            raise
        # Not when the caller leaves: a thread cannot be stopped.
        loop, started_s = asyncio.get_running_loop(), time.monotonic()
        work.add_done_callback(partial(self._give_back_from_thread, loop, started_s))
        return await asyncio.wrap_future(work)

    async def run_apart(
        self,
        client: Client,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Calls `function` in the thread, however little text there is: see `run`."""
        return await self.run(client, self._max_inline_chars + 1, function, *args, **kwargs)

    def close(self) -> None:
        """Drops the work that has not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, client: Client) -> None:
        if self._is_free:
            self._is_free = False
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it came at the same moment
                self._give_back()
            raise

    def _give_back_from_thread(
        self, loop: asyncio.AbstractEventLoop, started_s: float, _: "Future[Result]"
    ) -> None:
        ended_s = time.monotonic()
        self._rests_until_s = ended_s + _REST_TO_WORK * (ended_s - started_s)
        try:
            loop.call_soon_threadsafe(self._give_back)
        except RuntimeError:  # the loop has ended before the work, with all that waited on it
            self._waiting.clear()
            self._is_free = True

    def _give_back(self) -> None:
        """Gives the thread to the next client, whose further texts then wait behind all others."""
        while self._waiting:
            client = next(iter(self._waiting))
            turns = self._waiting.pop(client)
            turn = turns.popleft()
            if turns:
                self._waiting[client] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._is_free = True
