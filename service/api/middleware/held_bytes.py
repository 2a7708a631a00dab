"""Limits the bytes of bodies and replies in memory."""

import math
from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.middleware.request_log import HttpMiddleware
from service.api.refusals.problems import problem
from service.errors import OverloadedError
from service.observability.metrics import Metrics

_RETRY_AFTER_S = 1.0


class HeldBytes:
    """Bytes of request bodies, and of replies that clients have not taken; for one event loop."""

    def __init__(self, max_bytes: int, metrics: Metrics) -> None:
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._num_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether more is held than may be."""
        return self._num_bytes > self._max_bytes

    def add(self, num_bytes: int) -> None:
        """Count bytes that are held from now on."""
        self._num_bytes += num_bytes

    def remove(self, num_bytes: int) -> None:
        """Count bytes that are no longer held."""
        self._num_bytes -= num_bytes

    def refusal(self) -> OverloadedError:
        """The error for a request that there is no memory for; updates the metrics."""
        self._metrics.rejected.labels(reason="bodies_full").inc()
        return OverloadedError(
            f"Slowdown: requests and replies hold {self._num_bytes} bytes, the limit is "
            f"{self._max_bytes}",
            retry_after_s=_RETRY_AFTER_S,
        )


class HeldBytesMiddleware(HttpMiddleware):
    """Refuses requests while replies that clients do not take fill the memory."""

    def __init__(self, app: ASGIApp, held_bytes: HeldBytes, exempt: Collection[str] = ()) -> None:
        """Wrap `app`.

        Args:
            app: The application to wrap.
            held_bytes: What is held.
            exempt: Paths of small replies, such as probes.
        """
        super().__init__(app)
        self._held_bytes = held_bytes
        self._exempt = frozenset(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        is_limited = scope["type"] == "http" and scope["path"] not in self._exempt
        if not is_limited or not self._held_bytes.is_full:
            await self._app(scope, receive, send)
            return
        error = self._held_bytes.refusal()
        headers = {"Retry-After": str(math.ceil(error.retry_after_s))}
        reply = problem(scope["path"], error.status, error.code, str(error), headers)
        await reply(scope, receive, send)
