"""Requests in flight: refused during shutdown, cancelled when their client leaves."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from service.api.refusals.problems import SHUTTING_DOWN
from service.api.requests.departure import has_left, on_departure
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
        self._stays: set[_Stay[Any]] = set()
        self.is_open = True
        """Whether new requests are accepted."""
        self.is_shutting_down = False
        """Whether a shutdown was announced; requests may still be accepted."""

    @property
    def is_empty(self) -> bool:
        """Whether all accepted requests have ended."""
        return not self._stays

    @property
    def has_several(self) -> bool:
        """Whether a request has others beside it; may be asked from any thread."""
        return len(self._stays) > 1

    def announce_shutdown(self) -> None:
        """Report not ready from now on; requests are still accepted."""
        self.is_shutting_down = True

    def close(self) -> None:
        """Refuse new requests from now on; accepted ones go on."""
        self.is_shutting_down = True
        self.is_open = False

    def cancel_all(self) -> None:
        """Cancel all requests in flight; their clients get a 503."""
        for stay in self._stays:
            stay.cancel()

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
        stay = _Stay(work)
        self._stays.add(stay)
        self._by_client[client.name] += 1
        try:
            with self._metrics.in_flight.track_inprogress():
                return await stay.until_client_leaves(request)
        finally:
            self._stays.discard(stay)
            self._by_client[client.name] -= 1
            if not self._by_client[client.name]:
                del self._by_client[client.name]

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


class _Stay(Generic[T]):
    """The work of one request, in the request's own task, which is cancelled to end it early.

    A task of its own would cost two more turns of the event loop, each behind all others' work.
    """

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._work = work
        self._task: asyncio.Task[Any] | None = None
        self._cause: Exception | None = None
        """Why it ends early, until that is raised: its traceback holds this object, and all that
        the request has read, which a cycle would keep until the garbage collector comes."""
        self._is_cut = False

    async def until_client_leaves(self, request: Request) -> T:
        """The result of the work.

        Raises:
            ShuttingDownError: It was cancelled.
            ClientDisconnect: The client left first.
        """
        if has_left(request):
            self._work.close()
            raise ClientDisconnect
        self._task = asyncio.current_task()
        stop_listening = on_departure(request, lambda: self._end(ClientDisconnect()))
        try:
            return await self._work
        except asyncio.CancelledError:
            if self._cause is None:  # the whole request is cancelled
                raise
            raise self._taken_cause() from None
        finally:
            stop_listening()
            if self._is_cut:
                self._uncancel()
            self._task = None

    def cancel(self) -> None:
        """End it early: the service stops."""
        self._end(ShuttingDownError("the service stopped before the translation was finished"))

    def _end(self, cause: Exception) -> None:
        if self._task is not None and not self._is_cut:
            self._is_cut = True
            self._cause = cause
            self._task.cancel()

    def _uncancel(self) -> None:
        assert self._task is not None, "it is awaited"
        self._task.uncancel()

    def _taken_cause(self) -> Exception:
        cause, self._cause = self._cause, None
        assert cause is not None, "it was cut"
        return cause
