"""Where the time of a request went, as OpenTelemetry spans; sends nothing unless told where to."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from opentelemetry.trace import NoOpTracer, Tracer, get_current_span

from service.errors import StartupError

SERVICE_NAME = "pellucid"
_TRACES_PATH = "/v1/traces"
_EXPORT_TIMEOUT_S = 5.0
"""Of one batch, with everything that is tried again."""
_LAST_EXPORT_S = 2.0
"""What the end of the process waits for a collector that does not answer."""
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of the work of a request that has ended; moments on the translator's clock."""

    name: str
    started_s: float
    ended_s: float
    attributes: Mapping[str, int] = field(default_factory=dict)


class Tracing:
    """Makes the spans of requests; by default they are neither kept nor sent."""

    def __init__(
        self, tracer: Tracer | None = None, close: Callable[[], None] | None = None
    ) -> None:
        """Wire it.

        Args:
            tracer: Makes spans that go somewhere; None: spans that carry on a client's trace id.
            close: Sends what has not been sent yet.
        """
        self.tracer = tracer or NoOpTracer()
        self.is_on = tracer is not None
        self._close = close

    def record(self, stages: Iterable[Stage], *, now_s: float) -> None:
        """Add stages to the span of the request that the current task works for.

        Args:
            stages: Those that took no time are left out.
            now_s: The present moment on their clock.
        """
        # Not `is_recording`: a file is translated after the request that brought it has ended.
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
        """Send what is left, as far as that does not take longer than `timeout_s`."""
        if self._close is not None:
            # It would go on for as long as anything is left to be tried again.
            closing = threading.Thread(target=self._close, name="pellucid-tracing", daemon=True)
            closing.start()
            closing.join(timeout_s)


def open_tracing(endpoint: str | None, version: str) -> Tracing:
    """Spans that go to the collector at `endpoint`; without one they go nowhere.

    Args:
        endpoint: Where a collector takes OTLP over HTTP.
        version: Of the service, as its spans say it.

    Raises:
        StartupError: What sends spans is not installed.
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
            f"--otel-endpoint needs {error.name}: pip install 'pellucid[otel]', or leave it out"
        ) from error
    exporter = OTLPSpanExporter(
        endpoint=endpoint.rstrip("/") + _TRACES_PATH, timeout=_EXPORT_TIMEOUT_S
    )
    resource = Resource.create({"service.name": SERVICE_NAME, "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    # Its queue is bounded: when the collector cannot keep up, spans are lost and requests are not.
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider.get_tracer(SERVICE_NAME, version), close=provider.shutdown)
