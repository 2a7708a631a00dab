"""A server without models in a thread, whose event loop counts its turns and tasks."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from service.observability.metrics import Metrics
from service.server.connections.connection import connections
from service.server.uvicorn_server import bind
from tests.service.api.fakes import parts_of


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts its turns and tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.set_task_factory(self._task)  # type: ignore[arg-type] # the protocol is generic

    def _run_once(self) -> None:
        self.counts["turns"] += 1
        super()._run_once()  # type: ignore[misc] # asyncio's own

    def _task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any],
        context: Context | None = None,
    ) -> "asyncio.Task[Any]":
        self.counts["tasks"] += 1
        return asyncio.Task(work, loop=loop, context=context)


class Served:
    """A server of an app without models, in a thread of its own."""

    def __init__(self, app: FastAPI, around: ASGIApp | None = None) -> None:
        """Bind a port.

        Args:
            app: Its parts limit the connections.
            around: Called instead of the app, if given.
        """
        parts = parts_of(app)
        connect = connections(parts.settings, Metrics(), parts.request_limit, parts.held_bytes)
        config = uvicorn.Config(around or app, http=connect, lifespan="off", log_config=None)  # type: ignore[arg-type]
        self.loop = CountingLoop()
        self._server = uvicorn.Server(config)
        self._listener = bind("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Served":
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.loop.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """While its loop does nothing: what comes meanwhile is all ready in its next turn."""
        is_held, may_go_on = threading.Event(), threading.Event()

        def hold() -> None:
            is_held.set()
            may_go_on.wait()

        self.loop.call_soon_threadsafe(hold)
        is_held.wait()
        try:
            yield
        finally:
            may_go_on.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._server.serve(sockets=[self._listener]))
        asyncio.set_event_loop(None)
