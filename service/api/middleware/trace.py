"""Traces requests with OpenTelemetry, continuing the client's trace: plain ASGI."""

from collections.abc import Collection
from http import HTTPMethod, HTTPStatus

from opentelemetry.context import Context
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    format_span_id,
    format_trace_id,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware.request_log import HttpMiddleware
from service.api.requests.asked_method import ASKED_METHOD
from service.observability.logs import TRACE_ID
from service.observability.metrics import UNKNOWN_ROUTE
from service.observability.tracing import Tracing

TRACE_RESPONSE_HEADER = "traceresponse"
"""Header of W3C Trace Context that tells the client the span of its request."""
_PARENT_HEADER = b"traceparent"
_METHODS = frozenset(HTTPMethod)
_PROPAGATOR = TraceContextTextMapPropagator()


class TraceMiddleware(HttpMiddleware):
    """Continues the trace of `traceparent`; its id is in the logs, stages are child spans.

    A span has route, method and status, and no content of the request.
    """

    def __init__(self, app: ASGIApp, tracing: Tracing, untraced: Collection[str] = ()) -> None:
        """Wrap `app`.

        Args:
            app: The application to wrap.
            tracing: Creates the spans.
            untraced: Paths without spans, such as probes.
        """
        super().__init__(app)
        self._tracer = tracing.tracer
        self._is_on = tracing.is_on
        self._untraced = frozenset(untraced)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        is_traced = scope["type"] == "http" and scope["path"] not in self._untraced
        if not is_traced or not (self._is_on or _has_parent(scope)):
            await self._app(scope, receive, send)
            return
        span = self._tracer.start_span(_method(scope), context=_given(scope), kind=SpanKind.SERVER)
        token = TRACE_ID.set(_trace_id(span))
        try:
            # Exceptions are not recorded, because a message may quote the text.
            with use_span(
                span, end_on_exit=True, record_exception=False, set_status_on_exception=False
            ):
                if span.is_recording():
                    await self._serve(span, scope, receive, send)
                else:
                    await self._app(scope, receive, send)
        finally:
            TRACE_ID.reset(token)

    async def _serve(self, span: Span, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note_status(span, message["status"])
                MutableHeaders(scope=message)[TRACE_RESPONSE_HEADER] = _trace_response(span)
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
            span.update_name(f"{_method(scope)} {route}")
            span.set_attributes({"http.request.method": _method(scope), "http.route": route})


def _has_parent(scope: Scope) -> bool:
    """Whether the client names a span, whose trace goes into the logs in any case."""
    return any(name == _PARENT_HEADER for name, _ in scope["headers"])


def _given(scope: Scope) -> Context:
    """The client's span; an invalid `traceparent` counts as missing."""
    return _PROPAGATOR.extract(Headers(scope=scope), Context())


def _method(scope: Scope) -> str:
    """The method if it is a standard one, else `_OTHER`, because clients may send any word."""
    method = scope.get(ASKED_METHOD, scope["method"])
    return method if method in _METHODS else "_OTHER"


def _note_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_status(Status(StatusCode.ERROR))


def _trace_id(span: Span) -> str | None:
    context = span.get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else None


def _trace_response(span: Span) -> str:
    context = span.get_span_context()
    ids = f"{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}"
    return f"00-{ids}-{context.trace_flags:02x}"
