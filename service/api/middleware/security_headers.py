"""What browsers are told about every reply, unless the reply says something else itself."""

from collections.abc import Collection

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from service.api.middleware.request_log import HttpMiddleware

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Nothing of ours but the pages is meant to be shown, and those bring a policy of their own.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # A translation belongs to who asked for it, not to the next one behind the same proxy.
    "Cache-Control": "no-store",
}


class SecurityHeadersMiddleware(HttpMiddleware):
    """Adds headers that are missing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


_METHODS = ("GET", "POST", "DELETE")
_REQUEST_HEADERS = ("Authorization", "X-Request-Id", "traceparent", "tracestate")
_REPLY_HEADERS = ("X-Request-Id", "Server-Timing", "Retry-After", "Location", "traceresponse")


def allow_origins(app: FastAPI, origins: Collection[str]) -> None:
    """Let in the pages of `origins`, without cookies: we know none; nothing is done for none."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_REPLY_HEADERS,
        )
