"""Metrics and the log of every request: plain ASGI, nothing is buffered."""

import asyncio
import logging
import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.refusals.problems import INTERNAL_ERROR, SHUTTING_DOWN, problem
from service.api.requests.asked_method import ASKED_METHOD
from service.observability.logs import REQUEST_STATS, RequestStats
from service.observability.metrics import UNKNOWN_ROUTE, Metrics

_log = logging.getLogger(__name__)


class HttpMiddleware:
    """Keeps the app that a middleware wraps; only HTTP is handled, the rest passes through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app


class ObservationMiddleware(HttpMiddleware):
    """Counts, times and logs every request; answers unhandled errors with a 500."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        super().__init__(app)
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()
        status = 0
        stats = RequestStats()
        token = REQUEST_STATS.set(stats)

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            _log.exception("request crashed")
            if status:  # the reply has begun: only the connection can be closed
                raise
            answer = problem(
                scope["path"], HTTPStatus.INTERNAL_SERVER_ERROR, "internal", INTERNAL_ERROR
            )
            await answer(scope, receive, send_and_note)
        except asyncio.CancelledError:  # shutdown, before the client has sent its body
            if status:
                raise
            answer = problem(
                scope["path"], HTTPStatus.SERVICE_UNAVAILABLE, "shutting_down", SHUTTING_DOWN
            )
            await answer(scope, receive, send_and_note)
        finally:
            REQUEST_STATS.reset(token)
            self._observe(scope, status, time.perf_counter() - started_s, stats)

    def _observe(self, scope: Scope, status: int, seconds: float, stats: RequestStats) -> None:
        route = scope.get("route")
        path = getattr(route, "path", UNKNOWN_ROUTE)
        dialect = str(next(iter(getattr(route, "tags", None) or []), "none"))
        self._metrics.requests.labels(route=path, dialect=dialect, status=str(status)).inc()
        self._metrics.request_seconds.labels(route=path).observe(seconds)
        # Probes and scrapes come every few seconds: logged only when they fail.
        is_routine = dialect == "operations" and status < HTTPStatus.BAD_REQUEST
        _log.log(
            logging.DEBUG if is_routine else logging.INFO,
            "request",
            extra={
                "method": scope.get(ASKED_METHOD, scope["method"]),
                "route": path,
                "dialect": dialect,
                "status": status,
                "milliseconds": round(1000 * seconds, 1),
                "sentences": stats.sentences,
                "source_tokens": stats.source_tokens,
                "target_tokens": stats.target_tokens,
            },
        )
