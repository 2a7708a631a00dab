"""Headers of every reply: its request id, security, and cross-origin access for browsers."""

import re
from collections.abc import Collection

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from service.api.middleware.request_log import HttpMiddleware
from service.observability.logs import REQUEST_ID
from service.observability.random_ids import RandomIds

REQUEST_ID_HEADER = "X-Request-Id"
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Only the pages are documents, and they set a policy of their own.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # A shared cache must not give a translation to another client.
    "Cache-Control": "no-store",
}
_RAW_HEADERS = tuple((n.lower().encode(), v.encode()) for n, v in SECURITY_HEADERS.items())
_REQUEST_ID = REQUEST_ID_HEADER.lower().encode()
_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_IDS = RandomIds()
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_REQUEST_HEADERS = (
    "Authorization",
    "X-Goog-Api-Key",
    "Idempotency-Key",
    "X-Request-Id",
    "traceparent",
    "tracestate",
)
_REPLY_HEADERS = ("X-Request-Id", "Server-Timing", "Retry-After", "Location", "traceresponse")


def request_id(given: str) -> str:
    """The id given by the client if it is safe to log, else a new one."""
    return given if _VALID_REQUEST_ID.fullmatch(given) else _IDS.new()


class ReplyHeadersMiddleware(HttpMiddleware):
    """Adds the security headers that a reply does not set itself, and the request's id.

    The id is the client's or a new one; it is in the logs as well.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own_id = request_id(Headers(scope=scope).get(REQUEST_ID_HEADER, ""))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [h for h in message["headers"] if h[0].lower() != _REQUEST_ID]
                own = {name.lower() for name, _ in headers}
                headers += [h for h in _RAW_HEADERS if h[0] not in own]
                message["headers"] = [*headers, (_REQUEST_ID, own_id.encode())]
            await send(message)

        token = REQUEST_ID.set(own_id)
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            REQUEST_ID.reset(token)


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
