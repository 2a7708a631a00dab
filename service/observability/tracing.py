"""OpenTelemetry spans of requests; nothing is sent unless an endpoint is configured."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from opentelemetry.trace import NoOpTracer, Tracer, get_current_span

from service.errors import StartupError

SERVICE_NAME = "pellucid"
_TRACES_PATH = "/v1/traces"
_EXPORT_TIMEOUT_S = 5.0
"""Longest export of a batch of spans, retries included."""
_LAST_EXPORT_S = 2.0
"""Longest wait for the last export when the process ends."""
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A finished stage of a request; moments on the translator's clock."""

    name: str
    started_s: float
    ended_s: float
    attributes: Mapping[str, int] = field(default_factory=dict)


class Tracing:
    """Creates the spans of requests; by default they are neither kept nor sent."""

    def __init__(
        self, tracer: Tracer | None = None, close: Callable[[], None] | None = None
    ) -> None:
        """Take a tracer.

        Args:
            tracer: Creates spans that are exported; None: spans only pass on trace ids.
            close: Exports the remaining spans.
        """
        self.tracer = tracer or NoOpTracer()
        self.is_on = tracer is not None
        self._close = close

    def record(self, stages: Iterable[Stage], *, now_s: float) -> None:
        """Add stages to the span of the current task's request.

        Args:
            stages: Finished stages; those without duration are skipped.
            now_s: The current time on their clock.
        """
        # Not `is_recording`: a file is translated after its request has ended.
        if not self.is_on or not get_current_span().get_span_context().trace_flags.sampled:
            return
        started_ns = time.time_ns() - round(now_s * _NANOSECONDS)
        for stage in stages:
            if stage.ended_s > stage.started_s:
                span = self.tracer.start_span(
                    stage.name,
                    start_time=started_ns + round(stage.started_s * _NANOSECONDS),
                    attributes=dict(stage.attributes),
                )
                span.end(started_ns + round(stage.ended_s * _NANOSECONDS))

    def close(self, timeout_s: float = _LAST_EXPORT_S) -> None:
        """Export the remaining spans, within `timeout_s` seconds."""
        if self._close is not None:
            # In a thread, because the exporter retries without a bound of its own.
            closing = threading.Thread(target=self._close, name="pellucid-tracing", daemon=True)
            closing.start()
            closing.join(timeout_s)


def open_tracing(endpoint: str | None, version: str) -> Tracing:
    """Create the tracing of a collector at `endpoint`; None: nothing is exported.

    Args:
        endpoint: Address of a collector, OTLP over HTTP.
        version: Version of the service, an attribute of its spans.

    Raises:
        StartupError: The exporter is not installed.
    """
    if endpoint is None:
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise StartupError(
            f"--otel-endpoint needs {error.name}: in a checkout, pip install '.[otel]'; "
            "or leave it out"
        ) from error
    exporter = OTLPSpanExporter(
        endpoint=endpoint.rstrip("/") + _TRACES_PATH, timeout=_EXPORT_TIMEOUT_S
    )
    resource = Resource.create({"service.name": SERVICE_NAME, "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    # Its queue is bounded: a slow collector loses spans, and delays no request.
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider.get_tracer(SERVICE_NAME, version), close=provider.shutdown)
