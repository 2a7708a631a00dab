"""The HTTP connection of a client: uvicorn's protocol, with time limits, size limits and refusals.

uvicorn itself limits only the pause between two requests.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
from fastapi import Response
from fastapi.responses import JSONResponse
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from service.api.middleware.held_bytes import HeldBytes
from service.api.middleware.reply_headers import (
    REQUEST_ID_HEADER,
    SECURITY_HEADERS,
    request_id,
)
from service.api.middleware.request_limit import RequestLimit, is_limited
from service.api.requests.departure import EXTENSION, Departure
from service.observability.metrics import Metrics
from service.server.connections.fair_starts import FairStarts
from service.server.connections.head_requests import answering_head
from service.server.connections.held_head import HeldHead
from service.server.connections.limit import ConnectionLimit, raise_descriptor_limit
from service.server.connections.phase import Expected, Phase, num_complete, phase_of
from service.settings import Settings

LINGER_S = 2.0
"""Time to go on reading after a reply that precedes the end of its request. If the connection were
closed at once, a client that is still sending would not see the reply."""
MAX_LINGER_BYTES = 1_048_576
"""Bytes that are read and discarded meanwhile; the rest is not read."""
READ_BYTES = 16_384
"""Size of one read, so that connections take turns: asyncio's default is sixteen times as large."""
MAX_HEAD_BYTES = 65_536
"""Bytes without the end of a head or a byte of a body: large, because some clients send their text
in the address. The parser alone would buffer a head or a trailer without limit."""
_ID_HEADER = REQUEST_ID_HEADER.lower().encode()
_VERSIONS = ("1.0", "1.1")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTimeouts:
    """Time that a client may take, in seconds."""

    header_s: float
    """To send the head of a request, from its first byte; for the first request, from the
    connection."""
    reply_s: float
    """To read what is written to it."""


def connections(
    settings: Settings, metrics: Metrics, request_limit: RequestLimit, held_bytes: HeldBytes
) -> Callable[..., "Connection"]:
    """A factory of connections, limited by `settings` and by the system."""
    max_connections = raise_descriptor_limit(settings.max_connections)
    if max_connections < settings.max_connections:
        _log.warning("fewer connections than configured", extra={"connections": max_connections})
    return partial(
        Connection,
        connection_limit=ConnectionLimit(max_connections, metrics),
        request_limit=request_limit,
        held_bytes=held_bytes,
        starts=FairStarts(),
        metrics=metrics,
        timeouts=ClientTimeouts(
            header_s=settings.header_timeout_s, reply_s=settings.reply_timeout_s
        ),
    )


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with time and size limits, and with errors in the service's form."""

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - uvicorn's own
        connection_limit: ConnectionLimit,
        request_limit: RequestLimit,
        held_bytes: HeldBytes,
        starts: FairStarts,
        metrics: Metrics,
        timeouts: ClientTimeouts,
        **named: Any,  # noqa: ANN401 - uvicorn's own
    ) -> None:
        super().__init__(*arguments, **named)
        self._connection_limit = connection_limit
        self._request_limit = request_limit
        self._held_bytes = held_bytes
        self._starts = starts
        self._unsent_bytes = 0
        """Of replies that the client has not taken, as counted in `held_bytes`."""
        self._metrics = metrics
        self._timeouts = timeouts
        self._departure = Departure(lambda: None)
        self._phase = Phase.HEAD
        self._expected = Expected.NOTHING
        self._num_unanswered = 0
        self._is_refused = False
        """Whether the request that is arriving was answered at its head."""
        self._fault: HTTPStatus | None = None
        self._head_bytes = 0
        self._linger_bytes = 0
        self._phase_timer: asyncio.TimerHandle | None = None
        self._reply_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The connection was accepted."""
        super().connection_made(transport)
        self._departure = Departure(self.flow.resume_reading)
        transport.max_size = READ_BYTES  # type: ignore[attr-defined] # of asyncio's own loops
        self._connection_limit.add(transport)
        self._enter(Phase.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, by either side."""
        _cancel(self._phase_timer)
        _cancel(self._reply_timer)
        self._connection_limit.remove(self.transport)
        self._count_unsent(0)
        super().connection_lost(exc)
        self._departure.announce()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._fault is not None or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._reject(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._update_phase()
        if self._phase is Phase.LINGER:
            self._linger_bytes += len(data)
            if self._linger_bytes > MAX_LINGER_BYTES:
                self.flow.pause_reading()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._expected = Expected.HEAD
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header arrived; trailers, which follow a body, are ignored."""
        if self._expected is Expected.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head is complete.

        Raises:
            ValueError: Its HTTP version is not supported, or it does not name one host; the client
                gets 400.
        """
        if self.parser.should_upgrade():
            return
        version = self.parser.get_http_version()
        num_hosts = sum(name == b"host" for name, _ in self.headers)
        if version not in _VERSIONS or num_hosts > 1 or (not num_hosts and version == "1.1"):
            raise ValueError(f"HTTP/{version} with {num_hosts} hosts")
        self._expected = Expected.BODY
        self._head_bytes = 0
        self._is_refused = self._is_over_limit()
        if self._is_refused:
            self._refuse()
        else:
            self._num_unanswered += 1
            self._begin_request()

    def _begin_request(self) -> None:
        self.scope["extensions"] = {EXTENSION: {"connection": self._departure}}
        super().on_headers_complete()
        # A head and the body behind it are one packet; its task has not run yet.
        if self.scope["method"] != "HEAD":  # which has no body
            self.cycle.transport = HeldHead(self.transport)  # type: ignore[assignment]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        scope = cycle.scope
        answering = answering_head(app) if scope["method"] == "HEAD" else app
        begin = partial(super()._start_asgi_task, cycle, answering)
        is_counted = _is_counted_at_head(scope["method"], scope["path"], scope["headers"])
        if is_counted:
            self._request_limit.expect(self._address)
            begin = partial(self._begin_counted, begin)
        self._starts.start(self._address, begin, is_bounded=is_counted)

    def _begin_counted(self, begin: Callable[[], None]) -> None:
        try:
            begin()
        finally:
            # Behind the first step of its task, in which a request whose body is here is counted.
            self.loop.call_soon(self._request_limit.has_begun, self._address)

    def on_body(self, body: bytes) -> None:
        """A part of a body arrived."""
        self._head_bytes = 0
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete."""
        if self.parser.should_upgrade():
            return
        self._expected = Expected.NOTHING
        self._head_bytes = 0
        if not self._is_refused:
            super().on_message_complete()
        if not self._num_unanswered:  # answered already, so uvicorn's timer started too early
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """A reply was written."""
        self._num_unanswered -= 1
        super().on_response_complete()
        self._answer_fault()
        self._update_phase()

    def timeout_keep_alive_handler(self) -> None:
        """No other request began in time."""
        super().timeout_keep_alive_handler()
        self._update_phase()

    def pause_writing(self) -> None:
        """The write buffer is full: the client reads more slowly than the service writes."""
        super().pause_writing()
        self._count_unsent(self.transport.get_write_buffer_size())
        self._connection_limit.mark_idle(self.transport)
        self._reply_timer = self.loop.call_later(self._timeouts.reply_s, self._abort_slow_reader)

    def resume_writing(self) -> None:
        """The write buffer has drained."""
        super().resume_writing()
        self._count_unsent(0)
        _cancel(self._reply_timer)
        if self._phase is Phase.COMPLETE:
            self._connection_limit.mark_busy(self.transport)

    def _count_unsent(self, num_bytes: int) -> None:
        self._held_bytes.add(num_bytes - self._unsent_bytes)
        self._unsent_bytes = num_bytes

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline_upgrade(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._reject(HTTPStatus.BAD_REQUEST)

    def _decline_upgrade(self, rest: bytes) -> None:
        """Parse a request again, with what followed its head, without its `Upgrade` header.

        HTTP allows a server to ignore the offer of another protocol; the parser stops at the head.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._reject(HTTPStatus.BAD_REQUEST)
            return
        fields = [b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"]
        lines = (b"%b %b HTTP/1.1" % (method, self.url), *fields, b"", rest)
        self.parser = httptools.HttpRequestParser(self)
        self._parse(b"\r\n".join(lines))

    def _is_over_limit(self) -> bool:
        """Whether to refuse a request at its head, at a fifth of what a refusal in the app costs.

        Pipelined requests, and those whose client's address a proxy names, are left to
        `RequestLimitMiddleware`.
        """
        return (
            _is_counted_at_head(*self._target(), self.headers)
            and not self._num_unanswered
            and self.parser.should_keep_alive()
            and self._request_limit.is_full_at_head(self._address)
        )

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def _target(self) -> tuple[str, str]:
        """Method and path of the request that is arriving."""
        path, _, _ = self.url.decode("ascii", "replace").partition("?")
        return self.parser.get_method().decode("ascii"), path

    def _refuse(self) -> None:
        given = next((value for name, value in self.headers if name == _ID_HEADER), b"")
        response = self._request_limit.refusal(self.url.decode("ascii", "replace"))
        if self._target()[0] == "HEAD":
            response.body = b""
        response.headers.update(SECURITY_HEADERS)
        response.headers[REQUEST_ID_HEADER] = request_id(given.decode("latin-1"))
        self.server_state.total_requests += 1
        self._write(response)

    def _update_phase(self) -> None:
        phase = phase_of(
            self._expected,
            num_unanswered=self._num_unanswered,
            has_partial_head=self._head_bytes > 0,
            is_closing=self.transport.is_closing(),
        )
        if phase is not self._phase:
            self._enter(phase)

    def _enter(self, phase: Phase) -> None:
        _cancel(self._phase_timer)
        self._phase = phase
        match phase:
            case Phase.HEAD:
                self._start_timer(self._timeouts.header_s, self._time_out_head)
            case Phase.LINGER:
                self._linger_bytes = 0
                self._start_timer(LINGER_S, self.transport.abort)
            case Phase.CLOSING:
                self._connection_limit.mark_idle(self.transport)
                self._start_timer(self._timeouts.reply_s, self.transport.abort)
            case Phase.COMPLETE:
                self._connection_limit.mark_busy(self.transport)
            case Phase.IDLE:
                self._connection_limit.mark_idle(self.transport)

    def _start_timer(self, seconds: float, action: Callable[[], None]) -> None:
        self._phase_timer = self.loop.call_later(seconds, action)

    def _time_out_head(self) -> None:
        self._metrics.rejected.labels(reason="slow_header").inc()
        if self._head_bytes:
            self._answer_and_close(
                HTTPStatus.REQUEST_TIMEOUT,
                "request_timeout",
                f"the head of the request took longer than {self._timeouts.header_s:g} s",
            )
        else:  # no request to answer
            self.transport.abort()
        self._update_phase()

    def _abort_slow_reader(self) -> None:
        self._metrics.rejected.labels(reason="slow_reader").inc()
        self.transport.abort()

    def _reject(self, status: HTTPStatus) -> None:
        """Stop parsing: the rest is no valid request; earlier requests are answered first."""
        self._metrics.rejected.labels(reason="malformed").inc()
        self._fault = status
        self._answer_fault()

    def _answer_fault(self) -> None:
        is_next = not num_complete(self._expected, self._num_unanswered)
        if self._fault is not None and is_next and not self.transport.is_closing():
            text = f"Invalid request: {self._fault.phrase.lower()}"
            self._answer_and_close(self._fault, "invalid_request", text)

    def _answer_and_close(self, status: HTTPStatus, code: str, text: str) -> None:
        """Answer bytes that did not become a request, and close."""
        headers = {
            "Connection": "close",
            "X-Content-Type-Options": "nosniff",
            REQUEST_ID_HEADER: request_id(""),
        }
        self._write(JSONResponse({"error": text, "code": code}, status, headers))
        self.transport.close()

    def _write(self, response: Response) -> None:
        """Write a reply that does not come from the app."""
        fields = (*self.server_state.default_headers, *response.raw_headers)
        lines = [b"%b: %b\r\n" % field for field in fields]
        status_line = STATUS_LINE[response.status_code]
        self.transport.write(b"".join((status_line, *lines, b"\r\n", response.body)))


def _is_counted_at_head(method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request is limited, and comes from the address of its connection."""
    return is_limited(method, path, headers) and not any(
        name.startswith(b"x-forwarded") for name, _ in headers
    )


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
