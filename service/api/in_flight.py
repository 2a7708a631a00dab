"""Requests in flight: refused during shutdown, cancelled when their client leaves."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from service.api.problems import SHUTTING_DOWN
from service.errors import OverloadedError, ShuttingDownError
from service.observability.metrics import Metrics
from service.scheduling.limits import Client

_RETRY_AFTER_S = 1.0

T = TypeVar("T")


class InFlight:
    """Tracks the requests that use the models; for one event loop.

    A client may have half of what the others leave: behind a proxy, many clients are one address.
    """

    def __init__(self, metrics: Metrics, max_requests: int) -> None:
        self._metrics = metrics
        self._max_requests = max_requests
        self._by_client: Counter[str] = Counter()
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

    async def run(self, request: Request, client: Client, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` for a request whose body has been read.

        Raises:
            OverloadedError: The client has too many requests in flight.
            ShuttingDownError: Requests are no longer accepted, or this one was cancelled.
            ClientDisconnect: The client left; `work` was cancelled.
        """
        if not self.is_open:
            work.close()
            self._metrics.rejected.labels(reason="shutting_down").inc()
            raise ShuttingDownError(SHUTTING_DOWN)
        if self._is_full(client):
            work.close()
            raise self._refusal(client)
        task = asyncio.create_task(work)
        self._tasks.add(task)
        self._by_client[client.name] += 1
        try:
            with self._metrics.in_flight.track_inprogress():
                return await _unless_client_leaves(request, task)
        finally:
            self._tasks.discard(task)
            self._by_client[client.name] -= 1
            self._by_client += Counter()  # without clients that have none

    def _is_full(self, client: Client) -> bool:
        own = self._by_client[client.name]
        return own >= max(1, (self._max_requests - self._by_client.total() + own) // 2)

    def _refusal(self, client: Client) -> OverloadedError:
        self._metrics.rejected.labels(reason="too_many_requests").inc()
        return OverloadedError(
            f"Slowdown: {self._by_client[client.name]} requests of this client are in flight: it "
            f"may have half of the {self._max_requests} that fit in and that others leave",
            retry_after_s=_RETRY_AFTER_S,
        )


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
