"""What the body of a request may cost: bytes, and time to arrive."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware.request_log import HttpMiddleware
from service.errors import BodyTimeoutError, OverloadedError, PayloadTooLargeError
from service.observability.metrics import Metrics

_RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How large bodies may be, and how slow."""

    max_bytes: int
    """Of one body."""
    max_bytes_of_all: int
    """Of all that are held at the same time."""
    timeout_s: float
    """For a body to arrive."""
    other_max_bytes: Mapping[str, int] = field(default_factory=dict)
    """Of one body, by the path of a request."""


class BodyLimitMiddleware(HttpMiddleware):
    """Refuses a body as soon as it is over a limit, or says that it will be."""

    def __init__(self, app: ASGIApp, limits: BodyLimits, metrics: Metrics) -> None:
        super().__init__(app)
        self._limits = limits
        self._metrics = metrics
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("Content-Length", "")
        max_bytes = self._limits.other_max_bytes.get(scope["path"], self._limits.max_bytes)
        deadline_s: float | None = asyncio.get_running_loop().time() + self._limits.timeout_s
        received = 0

        async def receive_within_limits() -> Message:
            nonlocal received, deadline_s
            _check(int(declared[:20]) if declared.isdecimal() else 0, max_bytes)
            message = await self._next(receive, deadline_s)
            size = len(message.get("body", b""))
            # Counted even so: beside a chunked body the declared length means nothing.
            received += size
            self._held_bytes += size
            _check(received, max_bytes)
            self._check_all()
            if not message.get("more_body", False):
                deadline_s = None  # what comes next is that the client has gone
            return message

        try:
            await self._app(scope, receive_within_limits, send)
        finally:
            self._held_bytes -= received

    async def _next(self, receive: Receive, deadline_s: float | None) -> Message:
        try:
            async with asyncio.timeout_at(deadline_s):
                return await receive()
        except TimeoutError:
            self._metrics.rejected.labels(reason="slow_body").inc()
            raise BodyTimeoutError(
                f"the body took longer than {self._limits.timeout_s:g} s to arrive"
            ) from None

    def _check_all(self) -> None:
        if self._held_bytes > self._limits.max_bytes_of_all:
            self._metrics.rejected.labels(reason="bodies_full").inc()
            raise OverloadedError(
                f"Slowdown: all requests together have {self._held_bytes} bytes, "
                f"the limit is {self._limits.max_bytes_of_all}",
                retry_after_s=_RETRY_AFTER_S,
            )


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise PayloadTooLargeError(f"the body has more than {limit} bytes: send it in parts")
