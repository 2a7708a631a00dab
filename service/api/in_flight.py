"""Requests in flight: refused during shutdown, cancelled when their client leaves."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from service.api.problems import SHUTTING_DOWN
from service.errors import ShuttingDownError
from service.observability.metrics import Metrics

T = TypeVar("T")


class InFlight:
    """Tracks the requests that use the models; for one event loop."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._tasks: set[asyncio.Task[Any]] = set()
        self.is_open = True
        """Whether new requests are accepted."""
        self.is_shutting_down = False
        """Whether a shutdown was announced; requests may still be accepted."""

    @property
    def is_empty(self) -> bool:
        """Whether all accepted requests have ended."""
        return not self._tasks

    def announce_shutdown(self) -> None:
        """Report not ready from now on; requests are still accepted."""
        self.is_shutting_down = True

    def close(self) -> None:
        """Refuse new requests from now on; accepted ones go on."""
        self.is_shutting_down = True
        self.is_open = False

    def cancel_all(self) -> None:
        """Cancel all requests in flight; their clients get a 503."""
        for task in self._tasks:
            task.cancel()

    def close_and_cancel(self) -> None:
        """Refuse new requests and cancel those in flight."""
        self.close()
        self.cancel_all()

    async def run(self, request: Request, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` for a request whose body has been read.

        Raises:
            ShuttingDownError: Requests are no longer accepted, or this one was cancelled.
            ClientDisconnect: The client left; `work` was cancelled.
        """
        if not self.is_open:
            work.close()
            self._metrics.rejected.labels(reason="shutting_down").inc()
            raise ShuttingDownError(SHUTTING_DOWN)
        task = asyncio.create_task(work)
        self._tasks.add(task)
        try:
            with self._metrics.in_flight.track_inprogress():
                return await _unless_client_leaves(request, task)
        finally:
            self._tasks.discard(task)


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
    """Return when the client has left; its body must have been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
