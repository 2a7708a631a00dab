"""Requests for which there is no room are refused before anything is read of them."""

import math
from collections import Counter
from http import HTTPStatus

from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware.request_log import HttpMiddleware
from service.api.problems import problem
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.limits import CompletionRate


class RequestRoom:
    """Counts requests by address; belongs to one event loop.

    One address may have half of what the others leave, so that n who flood leave room for one more.
    """

    def __init__(self, max_requests: int, metrics: Metrics, clock: Clock) -> None:
        self._max_requests = max_requests
        self._metrics = metrics
        self._rate = CompletionRate(clock)
        self._inside: Counter[str] = Counter()
        self._num_inside = 0

    def is_full(self, address: str) -> bool:
        """Whether another request from `address` has to be refused."""
        own = self._inside.get(address, 0)
        room_for_one = (self._max_requests - self._num_inside + own) // 2
        return own >= max(1, room_for_one)

    def enter(self, address: str) -> None:
        """A request is being worked on."""
        self._count(address, 1)

    def leave(self, address: str) -> None:
        """It has its answer."""
        self._count(address, -1)
        self._rate.add()

    def refusal(self, path: str) -> Response:
        """What a request for `path` is answered when there is no room, which is counted."""
        self._metrics.rejected.labels(reason="too_many_requests").inc()
        status = HTTPStatus.TOO_MANY_REQUESTS
        # Not under its route: to find that would cost more than all the rest.
        self._metrics.requests.labels(route="refused", dialect="none", status=str(status)).inc()
        wait_s = self._rate.seconds_for(self._num_inside)
        text = (
            f"Slowdown: {self._num_inside} requests are being worked on; one address may have "
            f"half of the {self._max_requests} that there is room for and that others leave"
        )
        return problem(path, status, "overloaded", text, {"Retry-After": str(math.ceil(wait_s))})

    def _count(self, address: str, change: int) -> None:
        self._num_inside += change
        self._inside[address] += change
        if not self._inside[address]:
            del self._inside[address]


class RequestLimitMiddleware(HttpMiddleware):
    """Refuses at a fraction of what reading a request costs, so that a flood leaves time to work.

    What is asked with GET (pages, probes, metrics) is always let in. A request counts from when all
    of it is there: who is slow to send it takes nothing but a connection.
    """

    def __init__(self, app: ASGIApp, room: RequestRoom) -> None:
        super().__init__(app)
        self._room = room

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        if self._room.is_full(address):
            await self._room.refusal(scope["path"])(scope, receive, send)
            return
        is_inside = False

        async def receive_and_count() -> Message:
            nonlocal is_inside
            message = await receive()
            if not is_inside and not message.get("more_body", False):
                is_inside = True
                self._room.enter(address)
            return message

        try:
            await self._app(scope, receive_and_count, send)
        finally:
            if is_inside:
                self._room.leave(address)
