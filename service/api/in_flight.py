"""The one way in to the model: closes on shutdown, and lets go of work that nobody waits for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from service.api.problems import SHUTTING_DOWN
from service.errors import ShuttingDownError
from service.observability.metrics import Metrics

T = TypeVar("T")


class Gate:
    """Counts the work inside; belongs to one event loop."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._inside: set[asyncio.Task[Any]] = set()
        self.is_open = True
        self.is_ending = False

    @property
    def is_empty(self) -> bool:
        """Whether all work that was let in has ended."""
        return not self._inside

    def announce_end(self) -> None:
        """Say that it will be closed; until then everything goes on."""
        self.is_ending = True

    def close(self) -> None:
        """Let nothing in from now on; what is inside goes on."""
        self.is_ending = True
        self.is_open = False

    def expel(self) -> None:
        """Give up what is still inside; its clients get an answer that says so."""
        for work in self._inside:
            work.cancel()

    def evacuate(self) -> None:
        """Give up everything, and let nothing in."""
        self.close()
        self.expel()

    async def run(self, request: Request, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` for a client whose body has been read.

        Raises:
            ShuttingDownError: The gate is closed, or was cleared before the work ended.
            ClientDisconnect: The client has gone; the work was cancelled.
        """
        if not self.is_open:
            work.close()
            self._metrics.rejected.labels(reason="shutting_down").inc()
            raise ShuttingDownError(SHUTTING_DOWN)
        task = asyncio.create_task(work)
        self._inside.add(task)
        try:
            with self._metrics.in_flight.track_inprogress():
                return await _unless_client_leaves(request, task)
        finally:
            self._inside.discard(task)


async def _unless_client_leaves(request: Request, work: asyncio.Task[T]) -> T:
    client_left = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({work, client_left}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        if work.cancelled():
            raise ShuttingDownError("the service stopped before the translation was finished")
        return work.result()
    finally:
        work.cancel()
        client_left.cancel()


async def _disconnect(request: Request) -> None:
    """Return when the client has gone; its body must have been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
