"""Threads that work on long texts, so that the event loop stays free; clients share the time.

One of them works at a time, in slices of a few milliseconds with rests between: meanwhile it holds
the interpreter's lock most of the time. So a text delays another client's by its slices, and the
event loop by one, however long it takes.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from service.scheduling.fair_turns import SMALL_CHARS, FairTurns
from service.scheduling.limits import Client

MAX_INLINE_CHARS = 1_000
"""Default: so much text takes about ten milliseconds at worst."""
MAX_SIDE_BY_SIDE = 4
"""Clients whose texts take turns slice by slice; those of further ones wait for one of them."""
SLICE_S = 0.002
"""Time after which a text lets others work, at one of the next sentences."""
SENTENCES_A_BREATH = 4
"""How many may be worked on before it is asked whether that time is over."""
_REST_TO_WORK = 1.0
"""Each slice is followed by a rest as long as it was."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def breathe() -> None:
    """Ends the slice if it is over; called between sentences, and does nothing elsewhere.

    Raises:
        CancelledError: The caller does not wait for the work any more.
    """
    work = _WORK.get()
    if work is not None:
        work.breathe()


class TextThread:
    """Runs work on long texts in slices; used from one event loop at a time."""

    def __init__(self, max_inline_chars: int = MAX_INLINE_CHARS) -> None:
        """Starts no thread before there is work for it.

        Args:
            max_inline_chars: Work on texts up to this length is done on the event loop: the
                switch to a thread would cost more.
        """
        self._max_inline_chars = max_inline_chars
        self._executor = ThreadPoolExecutor(MAX_SIDE_BY_SIDE, thread_name_prefix="pellucid-text")
        self._baton = _Baton()
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
        work = _Work(self._baton)
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


class _Baton:
    """A lock that goes to the thread that has waited longest, after a rest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_held = False
        self._waiting: deque[threading.Lock] = deque()
        self._rests_until_s = 0.0

    def acquire(self) -> None:
        """Wait for the baton, and for the end of the rest."""
        with self._lock:
            gate = threading.Lock() if self._is_held else None
            self._is_held = True
            if gate is not None:
                gate.acquire()
                self._waiting.append(gate)
        if gate is not None:
            gate.acquire()
        time.sleep(max(0.0, self._rests_until_s - time.monotonic()))

    def release(self, worked_s: float) -> None:
        """Hand the baton on; the next one rests for as long as this one has worked."""
        self._rests_until_s = time.monotonic() + _REST_TO_WORK * worked_s
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_held = False


class _Work:
    """One text in a thread."""

    def __init__(self, baton: _Baton) -> None:
        self.is_wanted = True
        """False once its caller has left; any thread may say so."""
        self._baton = baton
        self._since_s = 0.0

    def run(self, function: Callable[[], Result]) -> Result:
        """What the function returns, which calls `breathe` from time to time."""
        _WORK.set(self)
        self._begin()
        try:
            self._check()
            return function()
        finally:
            self._baton.release(time.monotonic() - self._since_s)

    def breathe(self) -> None:
        """Let others work if the slice is over."""
        worked_s = time.monotonic() - self._since_s
        if worked_s >= SLICE_S:
            self._baton.release(worked_s)
            self._begin()
            self._check()

    def _begin(self) -> None:
        self._baton.acquire()
        self._since_s = time.monotonic()

    def _check(self) -> None:
        if not self.is_wanted:
            raise CancelledError


_WORK: ContextVar[_Work | None] = ContextVar("work on a text", default=None)
