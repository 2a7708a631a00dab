"""The trace that a request belongs to."""

import logging

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, TraceFlags, format_span_id, format_trace_id
from starlette.types import Receive, Scope, Send

from service.api.middleware.trace import TraceMiddleware
from service.observability.logs import TRACE_ID
from service.observability.tracing import Tracing
from tests.service.api.fakes import UpperCaser, app_with, ask

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
BASE = {"q": "my secret text", "source": "en", "target": "de"}
NOT_TRACEPARENTS = [
    "",
    "my secret text",
    f"00-{TRACE}-{PARENT}",
    f"ff-{TRACE}-{PARENT}-01",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE.upper()}-{PARENT}-01",
    TRACEPARENT + "0" * 600,
]


class _Seen:
    """An app that remembers which trace its request belongs to."""

    def __init__(self, app: FastAPI) -> None:
        self.traces: list[str | None] = []
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.traces.append(TRACE_ID.get())
        await self._app(scope, receive, send)


def _traced(
    headers: dict[str, str], tracing: Tracing | None = None, path: str = "/translate"
) -> tuple[httpx.Response, list[str | None]]:
    seen = _Seen(app_with(UpperCaser()))
    app = TraceMiddleware(seen, tracing or Tracing(), untraced=["/livez"])
    reply = ask(app, "POST", path, params=BASE, headers=headers)
    return reply, seen.traces


def _kept() -> tuple[Tracing, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider.get_tracer("test")), exporter


def _span_of(headers: dict[str, str], path: str = "/translate") -> ReadableSpan:
    tracing, exporter = _kept()
    _traced(headers, tracing, path)
    (span,) = exporter.get_finished_spans()
    return span


def test_logs_know_the_trace_of_the_client() -> None:
    reply, traces = _traced({"traceparent": TRACEPARENT})
    assert reply.status_code == 200
    assert traces == [TRACE]
    assert TRACE_ID.get() is None


def test_what_knows_no_span_of_its_own_names_none() -> None:
    reply, _ = _traced({"traceparent": TRACEPARENT})
    assert "traceresponse" not in reply.headers


@pytest.mark.parametrize("given", NOT_TRACEPARENTS)
def test_what_is_no_traceparent_is_as_good_as_missing(given: str) -> None:
    reply, traces = _traced({"traceparent": given})
    assert (reply.status_code, traces) == (200, [None])


def test_span_goes_on_with_the_trace_of_the_client() -> None:
    span = _span_of({"traceparent": TRACEPARENT, "tracestate": "vendor=1"})
    assert span.parent is not None
    assert format_trace_id(span.context.trace_id) == TRACE
    assert format_span_id(span.parent.span_id) == PARENT
    assert span.context.trace_state["vendor"] == "1"


def test_reply_names_the_span_that_the_request_became() -> None:
    tracing, exporter = _kept()
    reply, _ = _traced({}, tracing)
    (span,) = exporter.get_finished_spans()
    version, trace, own, flags = reply.headers["traceresponse"].split("-")
    assert version == "00"
    assert trace == format_trace_id(span.context.trace_id)
    assert own == format_span_id(span.context.span_id)
    assert int(flags, 16) & TraceFlags.SAMPLED


def test_span_says_route_method_and_status_and_nothing_that_a_client_wrote() -> None:
    span = _span_of({"User-Agent": "my secret agent", "X-Request-Id": "my-secret-id"})
    assert (span.name, span.kind) == ("POST /translate", SpanKind.SERVER)
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/translate",
        "http.response.status_code": 200,
    }
    assert "secret" not in span.to_json()


def test_path_that_does_not_exist_is_not_named() -> None:
    span = _span_of({}, "/my-secret-text")
    assert span.name == "POST unknown"
    assert "secret" not in span.to_json()
    assert span.status.status_code is StatusCode.UNSET


def test_method_may_be_any_word() -> None:
    tracing, exporter = _kept()
    app = TraceMiddleware(app_with(UpperCaser()), tracing)
    ask(app, "SECRET", "/translate")
    (span,) = exporter.get_finished_spans()
    assert span.name.startswith("_OTHER ")
    assert "SECRET" not in span.to_json()


def test_probes_have_no_spans() -> None:
    tracing, exporter = _kept()
    _, traces = _traced({"traceparent": TRACEPARENT}, tracing, "/livez")
    assert traces == [None]
    assert exporter.get_finished_spans() == ()


def test_trace_that_is_not_sampled_is_passed_on_but_not_kept() -> None:
    tracing, exporter = _kept()
    reply, traces = _traced({"traceparent": TRACEPARENT[:-1] + "0"}, tracing)
    assert traces == [TRACE]
    assert exporter.get_finished_spans() == ()
    assert "traceresponse" not in reply.headers


def test_error_is_marked_without_its_message() -> None:
    async def crash() -> None:
        raise ValueError("my secret text")

    tracing, exporter = _kept()
    app = TraceMiddleware(app_with(UpperCaser(before=crash)), tracing)
    assert ask(app, "POST", "/translate", json=BASE).status_code == 500
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert "secret" not in span.to_json()


def test_app_that_breaks_off_leaves_a_span_without_its_message() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("my secret text")

    tracing, exporter = _kept()
    with pytest.raises(ValueError, match="secret"):
        ask(TraceMiddleware(broken, tracing), "GET", "/")
    (span,) = exporter.get_finished_spans()
    assert span.events == ()
    assert "secret" not in span.to_json()


def test_log_of_a_request_says_what_the_models_did(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="service.api.middleware.request_log")
    ask(app_with(UpperCaser()), "POST", "/translate", params=BASE)
    (event,) = (vars(x) for x in caplog.records if x.name == "service.api.middleware")
    expected = {"method", "route", "dialect", "status", "milliseconds"}
    assert expected | {"sentences", "source_tokens", "target_tokens"} <= set(event)
    assert event["dialect"] == "native"
