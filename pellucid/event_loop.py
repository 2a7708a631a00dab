"""An event loop in a thread, on which any thread runs coroutines."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from service.errors import ShuttingDownError

_CLOSED = "it is closed: create another"

_Result = TypeVar("_Result")


class EventLoopThread:
    """Runs coroutines until it is closed; safe between threads."""

    def __init__(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._is_closed = False
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="pellucid-loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """The result of a coroutine; an interrupt cancels it.

        Raises:
            ShuttingDownError: The thread was closed before there was a result.
            RuntimeError: This process is a fork of the one with the thread.
        """
        if self.is_elsewhere:
            coroutine.close()
            raise RuntimeError("a fork has no threads: create the translator in this process")
        with self._lock:
            if self._is_closed:
                coroutine.close()
                raise ShuttingDownError(_CLOSED)
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise ShuttingDownError(_CLOSED) from None
        except KeyboardInterrupt:
            future.cancel()
            raise

    @property
    def is_elsewhere(self) -> bool:
        """Whether the thread is one of another process, of which this is a fork."""
        return os.getpid() != self._process

    def close(self) -> None:
        """Cancel what runs and end the thread."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.get_loop().run_forever()
        finally:
            asyncio.set_event_loop(None)
