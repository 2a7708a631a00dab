"""Stages become spans of the request that they belong to, and go where they are told to."""

import sys
import threading
from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from service.errors import StartupError
from service.observability.tracing import Stage, Tracing, open_tracing

SENDER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
STAGES = [
    Stage(name="queue", started_s=100.0, ended_s=100.0),
    Stage(name="decode", started_s=100.0, ended_s=102.5, attributes={"pellucid.tokens": 7}),
]


def test_without_an_endpoint_no_span_is_made() -> None:
    tracing = open_tracing(None, "1.0")
    with use_span(_client_span(is_sampled=True)):
        tracing.record(STAGES, now_s=103.0)
        assert not tracing.tracer.start_span("any").is_recording()
    tracing.close()


def test_a_missing_exporter_is_a_startup_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, SENDER, None)
    with pytest.raises(StartupError, match=r"pip install '.\[otel\]'") as error:
        open_tracing("http://127.0.0.1:4318", "1.0")
    assert "\n" not in str(error.value)


def test_stages_are_children_of_the_current_span() -> None:
    tracing, finished = _kept()
    with tracing.tracer.start_as_current_span("request") as request:
        tracing.record(STAGES, now_s=103.0)
    decode, parent = finished()
    assert (decode.name, parent.name) == ("decode", "request")
    assert decode.parent == request.get_span_context()
    assert (decode.end_time or 0) - (decode.start_time or 0) == 2_500_000_000
    assert (decode.end_time or 0) < (parent.end_time or 0)
    assert dict(decode.attributes or {}) == {"pellucid.tokens": 7}


def test_stages_that_end_after_their_request_are_kept() -> None:
    tracing, finished = _kept()
    request = tracing.tracer.start_span("request")
    with use_span(request):
        request.end()
        tracing.record(STAGES, now_s=103.0)
    assert [span.name for span in finished()] == ["request", "decode"]


@pytest.mark.parametrize(("is_sampled", "names"), [(True, ["decode"]), (False, [])])
def test_client_decides_whether_its_trace_is_kept(is_sampled: bool, names: list[str]) -> None:
    tracing, finished = _kept()
    with use_span(_client_span(is_sampled=is_sampled)):
        tracing.record(STAGES, now_s=103.0)
    assert [span.name for span in finished()] == names


def test_closing_does_not_wait_for_ever() -> None:
    answered = threading.Event()
    tracing, _ = _kept()
    Tracing(tracing.tracer, close=lambda: _wait(answered)).close(timeout_s=0.01)
    assert not answered.is_set()
    answered.set()


def test_closing_exports_the_remaining_spans() -> None:
    is_closed: list[bool] = []
    tracing, _ = _kept()
    Tracing(tracing.tracer, close=lambda: is_closed.append(True)).close()
    assert is_closed


def _wait(event: threading.Event) -> None:
    event.wait()


def _kept() -> tuple[Tracing, Callable[[], tuple[ReadableSpan, ...]]]:
    """Spans that stay here, and how to get at those that have ended."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider.get_tracer("test")), exporter.get_finished_spans


def _client_span(*, is_sampled: bool) -> NonRecordingSpan:
    flags = TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT)
    return NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=flags))
