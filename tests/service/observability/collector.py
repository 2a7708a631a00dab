"""An OpenTelemetry collector as far as tests need one: takes spans over HTTP and keeps them."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_LONGEST_S = 20


class Collector:
    """What has been sent to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self._news = threading.Condition()

    def receive(self, path: str, body: bytes) -> None:
        """Keep one request."""
        with self._news:
            self.paths.append(path)
            self.bodies.append(body)
            self._news.notify_all()

    @property
    def exports(self) -> list[ExportTraceServiceRequest]:
        """Requests as their protocol reads them."""
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    @property
    def spans(self) -> list[Span]:
        """All spans of all requests."""
        return [
            span
            for export in self.exports
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def wait_until(self, is_enough: Callable[[Sequence[Span]], bool]) -> list[Span]:
        """The spans, once they are enough; fails where that does not come to be."""
        until_s = time.monotonic() + _LONGEST_S
        with self._news:
            while not is_enough(self.spans):
                assert self._news.wait(until_s - time.monotonic()), [s.name for s in self.spans]
            return self.spans

    def trace(self, trace_id: str, num_spans: int) -> dict[str, Span]:
        """The spans of one trace by their names, once there are so many."""

        def of_trace(spans: Sequence[Span]) -> dict[str, Span]:
            return {span.name: span for span in spans if span.trace_id.hex() == trace_id}

        return of_trace(self.wait_until(lambda spans: len(of_trace(spans)) >= num_spans))


def attributes_of(span: Span) -> dict[str, Any]:
    """A span's attributes as plain values."""
    return {
        pair.key: getattr(pair.value, str(pair.value.WhichOneof("value")))
        for pair in span.attributes
    }


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.receive(self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
