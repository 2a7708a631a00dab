"""Whether pages of other sites may call the API from a browser."""

from collections.abc import Collection

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

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
