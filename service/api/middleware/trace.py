"""The trace that a request belongs to: taken from its client, or begun here; plain ASGI."""

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
from service.observability.logs import TRACE_ID
from service.observability.metrics import UNKNOWN_ROUTE
from service.observability.tracing import Tracing

TRACE_RESPONSE_HEADER = "traceresponse"
"""Where W3C's Trace Context tells a client which span its request became."""
_METHODS = frozenset(HTTPMethod)
_PROPAGATOR = TraceContextTextMapPropagator()


class TraceMiddleware(HttpMiddleware):
    """Goes on with the trace of `traceparent`; logs carry its id, and stages become its spans.

    A span says route, method and status, and nothing that a client wrote.
    """

    def __init__(self, app: ASGIApp, tracing: Tracing, untraced: Collection[str] = ()) -> None:
        """Stand around `app`.

        Args:
            app: What serves the request.
            tracing: Makes the spans.
            untraced: Paths that are asked for every few seconds, for ever.
        """
        super().__init__(app)
        self._tracer = tracing.tracer
        self._untraced = frozenset(untraced)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["path"] in self._untraced:
            await self._app(scope, receive, send)
            return
        span = self._tracer.start_span(_method(scope), context=_given(scope), kind=SpanKind.SERVER)
        token = TRACE_ID.set(_trace_id(span))
        try:
            # An exception's message may quote the text: neither it nor its traceback is recorded.
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


def _given(scope: Scope) -> Context:
    """The client's place in its trace; a `traceparent` that is none is as good as missing."""
    return _PROPAGATOR.extract(Headers(scope=scope), Context())


def _method(scope: Scope) -> str:
    """A method may be any word that a client thinks of."""
    method = scope["method"]
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
