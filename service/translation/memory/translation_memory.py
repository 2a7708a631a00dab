"""The translation memory beside the event loop: threads read it, and none is waited for long."""

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from service.observability.clock import Clock
from service.translation.memory.memory_file import Found, MemoryFile, is_due
from service.translation.memory.unit import Space
from service.translation.values import Suggestion

_OPENING_TIMEOUT_S = 5.0
_LOCK_SHARE = 0.5
"""Share of the time for an answer that a thread waits for a lock, to end before its caller."""
_SUGGESTION_SHARE = 0.5
"""Share of the time for an answer; suggestions that take longer are left out."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


class TranslationMemory:
    """Looks sentences up; used from one event loop. Without an answer there are no matches.

    Equal sentences are found in a thread of their own, which no search for similar ones delays. A
    call waits as long as the thread answers others, so that load decides nothing about a
    translation; it is given up when the thread has answered none for some time.
    """

    def __init__(self, path: Path, timeout_s: float, clock: Clock = time.monotonic) -> None:
        """Opens the file, or creates it.

        Args:
            path: The file.
            timeout_s: Time for an answer.
            clock: Monotonic, seconds.

        Raises:
            StartupError: It cannot be used.
        """
        MemoryFile(path, _OPENING_TIMEOUT_S).close()
        self._timeout_s = timeout_s
        self._clock = clock
        self._equal = MemoryFile(path, _LOCK_SHARE * timeout_s)
        self._similar = MemoryFile(path, 0.0)  # suggestions do not wait for marks to be written
        self._equal_thread = ThreadPoolExecutor(1, thread_name_prefix="memory")
        self._similar_thread = ThreadPoolExecutor(1, thread_name_prefix="suggestions")
        self._answered_s = -math.inf
        self._rests_until_s = -math.inf
        self._is_marking = False

    def close(self) -> None:
        """Closes the file; calls that have not begun are cancelled."""
        for thread, file in (
            (self._equal_thread, self._equal),
            (self._similar_thread, self._similar),
        ):
            thread.shutdown(cancel_futures=True)
            file.close()

    async def find(
        self, space: Space, texts: Sequence[str], left_s: float | None = None
    ) -> list[str | None]:
        """The translation that is kept of each text, if there is one.

        Args:
            space: Where they are looked for.
            texts: Sentences.
            left_s: Time of the request.
        """
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(self._equal_thread, self._found, space, texts)
        try:
            found = await self._answer(call, left_s)
        except (TimeoutError, sqlite3.Error) as error:
            _log_failure(error)
            return [None] * len(texts)
        self._mark_used(found)
        return [None if each is None else each.target for each in found]

    async def suggest(
        self, space: Space, texts: Sequence[str], left_s: float | None = None
    ) -> list[list[Suggestion]]:
        """Units that resemble each text, as far as the time suffices.

        Args:
            space: Where they are looked for.
            texts: Sentences.
            left_s: Time of the request.
        """
        loop = asyncio.get_running_loop()
        timeout_s = self._timeout_s if left_s is None else min(self._timeout_s, left_s)
        ends_s = self._clock() + _SUGGESTION_SHARE * timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await loop.run_in_executor(
                    self._similar_thread, self._suggestions, space, texts, ends_s
                )
        except (TimeoutError, sqlite3.Error) as error:
            _log_failure(error)
            return [[] for _ in texts]

    async def _answer(self, call: "asyncio.Future[T]", left_s: float | None) -> T:
        """What the thread answers.

        Raises:
            TimeoutError: It has answered no call for some time, or the time of the request is over.
        """
        asked_s = self._clock()
        ends_s = math.inf if left_s is None else asked_s + left_s
        try:
            while not call.done():
                limit_s = min(ends_s, max(asked_s, self._answered_s) + self._timeout_s)
                wait_s = limit_s - self._clock()
                if wait_s <= 0:
                    raise TimeoutError
                await asyncio.wait([call], timeout=wait_s)
            return call.result()
        finally:
            call.cancel()  # one that has not begun

    def _found(self, space: Space, texts: Sequence[str]) -> list[Found | None]:
        """In the thread; after a failure the calls that wait fail at once, not one by one."""
        if self._clock() < self._rests_until_s:
            raise sqlite3.OperationalError("failed lately")
        try:
            return self._equal.find(space, texts)
        except sqlite3.Error:
            self._rests_until_s = self._clock() + self._timeout_s
            raise
        finally:
            self._answered_s = self._clock()

    def _suggestions(
        self, space: Space, texts: Sequence[str], ends_s: float
    ) -> list[list[Suggestion]]:
        """Rests as long as it works: it holds the interpreter's lock most of the time."""
        found: list[list[Suggestion]] = []
        for text in texts:
            began_s = self._clock()
            if began_s >= ends_s:
                break
            found.append(self._similar.suggest(space, text, lambda: self._clock() >= ends_s))
            time.sleep(max(0.0, min(self._clock() - began_s, ends_s - self._clock())))
        return found + [[] for _ in texts[len(found) :]]

    def _mark_used(self, found: Sequence[Found | None]) -> None:
        """Has units marked as used, unless such work waits already: they are at their next use."""
        now_s = time.time()
        due = [each for each in found if each is not None and is_due(each, now_s)]
        if due and not self._is_marking:
            self._is_marking = True
            self._similar_thread.submit(self._mark, due, now_s)

    def _mark(self, due: Sequence[Found], now_s: float) -> None:
        try:
            with suppress(sqlite3.Error):  # another process writes
                self._similar.mark_used(due, now_s)
        finally:
            self._is_marking = False


def _log_failure(error: Exception) -> None:
    _log.warning("translation memory failed", extra={"error": type(error).__name__})
