"""Security headers of every reply, and cross-origin access for browsers."""

from collections.abc import Collection

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.types import Message, Receive, Scope, Send

from service.api.middleware.request_log import HttpMiddleware

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Only the pages are documents, and they set a policy of their own.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # A shared cache must not give a translation to another client.
    "Cache-Control": "no-store",
}
_RAW_HEADERS = tuple((n.lower().encode(), v.encode()) for n, v in SECURITY_HEADERS.items())
_METHODS = ("GET", "POST", "DELETE")
_REQUEST_HEADERS = ("Authorization", "Idempotency-Key", "X-Request-Id", "traceparent", "tracestate")
_REPLY_HEADERS = ("X-Request-Id", "Server-Timing", "Retry-After", "Location", "traceresponse")


class SecurityHeadersMiddleware(HttpMiddleware):
    """Adds security headers that a reply does not set itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                own = {name.lower() for name, _ in headers}
                message["headers"] = headers + [h for h in _RAW_HEADERS if h[0] not in own]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def allow_origins(app: FastAPI, origins: Collection[str]) -> None:
    """Allow pages of `origins` to call the API, without credentials; no-op without origins."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_REPLY_HEADERS,
        )
