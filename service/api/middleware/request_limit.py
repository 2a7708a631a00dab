"""Limits concurrent requests, in all and per address; refuses before a body is read.

Those that wait for their start count from their head on: else a crowd that comes faster than it
starts would wait, all of it, to be refused one by one.
"""

import math
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus

from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware.request_log import HttpMiddleware
from service.api.refusals.problems import problem
from service.api.requests.client_scope import refuse_at_once
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.limits import CompletionRate

TRANSLATING_GETS = frozenset(
    {
        "/plain",
        "/google/translate_a/single",
        "/translate_a/single",
        "/google/language/translate/v2",
    }
)
"""Paths that translate what is in their query string."""


class RequestLimit:
    """Counts requests by address; for one event loop.

    An address may use half of what other addresses leave, so that n flooding addresses still leave
    room for one more.
    """

    def __init__(self, max_requests: int, metrics: Metrics, clock: Clock) -> None:
        self._max_requests = max_requests
        self._metrics = metrics
        self._rate = CompletionRate(clock)
        self._by_address: Counter[str] = Counter()
        self._num_requests = 0
        self._waiting: Counter[str] = Counter()
        """Requests let in at their head that have not begun, by address of their connection."""
        self._num_waiting = 0

    def is_full(self, address: str) -> bool:
        """Whether another request from `address` must be refused."""
        return self._is_over(self._by_address.get(address, 0), self._num_requests)

    def is_full_at_head(self, address: str) -> bool:
        """The same for a request that would wait for its start, behind those that do."""
        own = self._by_address.get(address, 0) + self._waiting.get(address, 0)
        return self._is_over(own, self._num_requests + self._num_waiting)

    def _is_over(self, own: int, total: int) -> bool:
        return own >= max(1, (self._max_requests - total + own) // 2)

    def expect(self, address: str) -> None:
        """Count a request as waiting for its start."""
        self._waiting[address] += 1
        self._num_waiting += 1

    def has_begun(self, address: str) -> None:
        """Count it no longer as waiting."""
        self._num_waiting -= 1
        self._waiting[address] -= 1
        if not self._waiting[address]:
            del self._waiting[address]

    def enter(self, address: str) -> None:
        """Count a request as in progress."""
        self._count(address, 1)

    def leave(self, address: str) -> None:
        """Count a request as answered."""
        self._count(address, -1)
        self._rate.add()

    def refusal(self, path: str) -> Response:
        """The 429 for a request to `path`, in the dialect of that path; updates the metrics."""
        self._metrics.rejected.labels(reason="too_many_requests").inc()
        status = HTTPStatus.TOO_MANY_REQUESTS
        # One label for all: finding the route would cost more than the rest of the refusal.
        self._metrics.requests.labels(route="refused", dialect="none", status=str(status)).inc()
        num_requests = self._num_requests + self._num_waiting
        wait_s = self._rate.seconds_for(num_requests)
        text = (
            f"Slowdown: {num_requests} requests are being worked on; one address may have "
            f"half of the {self._max_requests} that there is room for and that others leave"
        )
        return problem(path, status, "overloaded", text, {"Retry-After": str(math.ceil(wait_s))})

    def _count(self, address: str, change: int) -> None:
        self._num_requests += change
        self._by_address[address] += change
        if not self._by_address[address]:
            del self._by_address[address]


def is_limited(method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request counts: it brings work, or a body.

    Args:
        method: In capitals.
        path: Without a query.
        headers: With names in lower case.
    """
    return (method == "POST" or path in TRANSLATING_GETS) or any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b" 0") != b"")
        for name, value in headers
    )


def _is_limited(scope: Scope) -> bool:
    return is_limited(scope["method"], scope["path"], scope["headers"])


class RequestLimitMiddleware(HttpMiddleware):
    """Refuses requests over the limit, at a fraction of the cost of reading them.

    Limited are POST, requests with a body, and GET that translates; pages, probes and metrics are
    not. A request counts from the moment its body is complete, so a slow client uses up no request,
    only a connection.
    """

    def __init__(self, app: ASGIApp, limit: RequestLimit) -> None:
        super().__init__(app)
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or not _is_limited(scope):
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        if self._limit.is_full(address):
            refuse_at_once(scope)
            await self._limit.refusal(scope["path"])(scope, receive, send)
            return
        is_counted = False

        async def receive_and_count() -> Message:
            nonlocal is_counted
            message = await receive()
            if not is_counted and not message.get("more_body", False):
                is_counted = True
                self._limit.enter(address)
            return message

        try:
            await self._app(scope, receive_and_count, send)
        finally:
            if is_counted:
                self._limit.leave(address)
