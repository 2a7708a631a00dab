"""Limits request bodies: size, total size of all, time to arrive, and each address's share."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware.held_bytes import HeldBytes
from service.api.middleware.request_log import HttpMiddleware
from service.api.refusals.problems import problem
from service.errors import BodyTimeoutError, PayloadTooLargeError
from service.observability.metrics import Metrics
from service.scheduling.fair_turns import SMALL_CHARS, FairTurns
from service.scheduling.limits import Client

_BYTES_AS_A_CHAR = 128
"""To parse so much of a body takes as long as to work on a character of a text."""

MAX_UNREAD_BYTES = 16_384
"""Of the body of a GET, which is not read for its reply but has to be received."""
_BODILESS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """Maximum size and duration of request bodies."""

    max_bytes: int
    """Of a body."""
    timeout_s: float
    """For a body to arrive."""
    other_max_bytes: Mapping[str, int] = field(default_factory=dict)
    """Of a body, for paths that differ from `max_bytes`."""


class BodyLimitMiddleware(HttpMiddleware):
    """Refuses a body as soon as its declared or actual size is over a limit."""

    def __init__(
        self, app: ASGIApp, limits: BodyLimits, held_bytes: HeldBytes, metrics: Metrics
    ) -> None:
        super().__init__(app)
        self._limits = limits
        self._held_bytes = held_bytes
        self._metrics = metrics
        self._turns = FairTurns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("Content-Length", "")
        if _size(declared) > MAX_UNREAD_BYTES and scope["method"] in _BODILESS:
            await _no_body(scope)(scope, receive, send)
            return
        max_bytes = self._limits.other_max_bytes.get(scope["path"], self._limits.max_bytes)
        deadline_s: float | None = asyncio.get_running_loop().time() + self._limits.timeout_s
        received = 0
        address = Client(name=str((scope.get("client") or ("",))[0]))

        async def receive_within_limits() -> Message:
            nonlocal received, deadline_s
            _check(_size(declared), max_bytes)
            message = await self._next(receive, deadline_s)
            size = len(message.get("body", b""))
            # The actual size as well: a chunked body may have any declared length.
            _check(received + size, max_bytes)
            received += size
            self._held_bytes.add(size)
            if size and self._held_bytes.is_full:
                raise self._held_bytes.refusal()
            if not message.get("more_body", False):
                deadline_s = None  # the next message is the disconnect
            if size > _BYTES_AS_A_CHAR * SMALL_CHARS:
                await self._turns.take(address, size // _BYTES_AS_A_CHAR)
            return message

        try:
            await self._app(scope, receive_within_limits, send)
        finally:
            self._held_bytes.remove(received)

    async def _next(self, receive: Receive, deadline_s: float | None) -> Message:
        try:
            async with asyncio.timeout_at(deadline_s):
                return await receive()
        except TimeoutError:
            self._metrics.rejected.labels(reason="slow_body").inc()
            raise BodyTimeoutError(
                f"the body took longer than {self._limits.timeout_s:g} s to arrive"
            ) from None


def _size(declared: str) -> int:
    return int(declared[:20]) if declared.isdecimal() else 0


def _no_body(scope: Scope) -> Response:
    """The 413 for a body that nothing would read; the connection is closed instead."""
    text = f"a {scope['method']} has no use for a body of more than {MAX_UNREAD_BYTES} bytes"
    status, code = PayloadTooLargeError.status, PayloadTooLargeError.code
    return problem(scope["path"], status, code, text, {"Connection": "close"})


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise PayloadTooLargeError(f"the body has more than {limit} bytes: send it in parts")
