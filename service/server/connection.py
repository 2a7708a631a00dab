"""A client's connection: slow clients are waited for, but not for ever.

uvicorn itself bounds only the pause between two requests.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
from fastapi import Response
from fastapi.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.api.middleware.request_limit import RequestRoom
from service.api.middleware.request_log import REQUEST_ID_HEADER, request_id
from service.api.middleware.security_headers import SECURITY_HEADERS
from service.observability.metrics import Metrics
from service.server.connection_limit import Lobby, allow_connections
from service.settings import Settings

LINGER_S = 2.0
"""For reading on after an answer that came before the end of the request: who is still sending
would not see it if the connection were closed at once."""
READ_BYTES = 16_384
"""What is read of one connection before others have their turn: asyncio would take sixteen times as
much."""
FRUITLESS_BYTES = 65_536
"""What a client may send without the end of a head or a byte of a body: some send their text in the
address. The parser itself would collect a head or a trailer without end."""
LINGER_BYTES = 1_048_576
"""So much is read and thrown away meanwhile; the rest is left to the client."""
_ID_HEADER = REQUEST_ID_HEADER.lower().encode()
_VERSIONS = ("1.0", "1.1")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client may take, in seconds."""

    header_s: float
    """For the head of a request, from its first byte; for the first one, from the connection."""
    reply_s: float
    """For taking what is written to it."""


def connections(
    settings: Settings, metrics: Metrics, room: RequestRoom
) -> Callable[..., "Connection"]:
    """Makes connections as `settings` allow them, and the system."""
    max_connections = allow_connections(settings.max_connections)
    if max_connections < settings.max_connections:
        _log.warning("fewer connections than configured", extra={"connections": max_connections})
    return partial(
        Connection,
        lobby=Lobby(max_connections, metrics),
        room=room,
        metrics=metrics,
        patience=Patience(header_s=settings.header_timeout_s, reply_s=settings.reply_timeout_s),
    )


class _Part(Enum):
    """Of the request that is coming, what has to come next."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class _Phase(Enum):
    """Whose turn it is."""

    HEAD = auto()
    """The client has to send the head of a request."""
    BODY = auto()
    """The client has to send its body; `BodyLimitMiddleware` watches over that."""
    WHOLE = auto()
    """The request has come, and is being answered."""
    LINGER = auto()
    """The client has its answer, and is still sending."""
    IDLE = auto()
    """The client may begin another request; uvicorn watches over that."""
    CLOSING = auto()
    """The client has to take the rest of its answer."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with limits of time and size, and with errors like all others."""

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - uvicorn's own
        lobby: Lobby,
        room: RequestRoom,
        metrics: Metrics,
        patience: Patience,
        **named: Any,  # noqa: ANN401 - uvicorn's own
    ) -> None:
        super().__init__(*arguments, **named)
        self._lobby = lobby
        self._room = room
        self._metrics = metrics
        self._patience = patience
        self._phase = _Phase.HEAD
        self._part = _Part.NOTHING
        self._num_unanswered = 0
        self._is_turned_away = False
        self._fault: HTTPStatus | None = None
        self._fruitless_bytes = 0
        self._unwanted_bytes = 0
        self._phase_timer: asyncio.TimerHandle | None = None
        self._reply_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It has been accepted."""
        super().connection_made(transport)
        transport.max_size = READ_BYTES  # type: ignore[attr-defined] # of asyncio's own loops
        self._lobby.arrive(transport)
        self._enter(_Phase.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, by whomever."""
        _stop(self._phase_timer)
        _stop(self._reply_timer)
        self._lobby.leave(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something came."""
        if self._fault is not None or self.transport.is_closing():
            return
        self._fruitless_bytes += len(data)
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._fruitless_bytes > FRUITLESS_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._look()
        if self._phase is _Phase.LINGER:
            self._unwanted_bytes += len(data)
            if self._unwanted_bytes > LINGER_BYTES:
                self.flow.pause_reading()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST)

    def _decline(self, rest: bytes) -> None:
        """Read a request anew, with all that came behind its head, as if no protocol were offered.

        HTTP says that a server may ignore the offer; the parser ignores the body instead.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        fields = [b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"]
        lines = (b"%b %b HTTP/1.1" % (method, self.url), *fields, b"", rest)
        self.parser = httptools.HttpRequestParser(self)
        self._parse(b"\r\n".join(lines))

    def on_message_begin(self) -> None:
        """A request begins."""
        self._part = _Part.HEAD
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come; those behind a body are nobody's business."""
        if self._part is _Part.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head has come.

        Raises:
            ValueError: It is of no HTTP that we speak, or not for one host; answered with 400.
        """
        if self.parser.should_upgrade():
            return
        version = self.parser.get_http_version()
        num_hosts = sum(name == b"host" for name, _ in self.headers)
        if version not in _VERSIONS or num_hosts > 1 or (not num_hosts and version == "1.1"):
            raise ValueError(f"HTTP/{version} with {num_hosts} hosts")
        self._part = _Part.BODY
        self._fruitless_bytes = 0
        self._is_turned_away = self._has_no_room()
        if self._is_turned_away:
            self._turn_away()
        else:
            self._num_unanswered += 1
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body has come."""
        self._fruitless_bytes = 0
        if not self._is_turned_away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """All of a request has come."""
        if self.parser.should_upgrade():
            return
        self._part = _Part.NOTHING
        self._fruitless_bytes = 0
        if not self._is_turned_away:
            super().on_message_complete()
        if not self._num_unanswered:  # it was answered before, and uvicorn's timer ran too early
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """The reply is on its way."""
        self._num_unanswered -= 1
        super().on_response_complete()
        self._tell_fault()
        self._look()

    def timeout_keep_alive_handler(self) -> None:
        """No other request has begun."""
        super().timeout_keep_alive_handler()
        self._look()

    def pause_writing(self) -> None:
        """The client does not take its reply as fast as it is written."""
        super().pause_writing()
        self._lobby.wait(self.transport)
        self._reply_timer = self.loop.call_later(self._patience.reply_s, self._break_off)

    def resume_writing(self) -> None:
        """It has taken most of it."""
        super().resume_writing()
        _stop(self._reply_timer)
        if self._phase is _Phase.WHOLE:
            self._lobby.serve(self.transport)

    def _has_no_room(self) -> bool:
        """Whether a request can be refused here, at a fifth of what it costs behind the app's door.

        It is left to `RequestLimitMiddleware` where order or the client's address is less plain.
        """
        return (
            self.parser.get_method() == b"POST"
            and not self._num_unanswered
            and self.parser.should_keep_alive()
            and not any(name.startswith(b"x-forwarded") for name, _ in self.headers)
            and self._room.is_full(self.client[0] if self.client else "")
        )

    def _turn_away(self) -> None:
        given = next((value for name, value in self.headers if name == _ID_HEADER), b"")
        response = self._room.refusal(self.url.decode("ascii", "replace"))
        response.headers.update(SECURITY_HEADERS)
        response.headers[REQUEST_ID_HEADER] = request_id(given.decode("latin-1"))
        self.server_state.total_requests += 1
        self._write(response)

    def _look(self) -> None:
        """Find out whose turn it is now."""
        phase = self._present_phase()
        if phase is not self._phase:
            self._enter(phase)

    def _present_phase(self) -> _Phase:
        if self.transport.is_closing():
            return _Phase.CLOSING
        if self._num_whole:
            return _Phase.WHOLE
        if self._part is _Part.BODY:
            return _Phase.BODY if self._num_unanswered else _Phase.LINGER
        has_begun = self._part is _Part.HEAD or self._fruitless_bytes > 0
        return _Phase.HEAD if has_begun else _Phase.IDLE

    @property
    def _num_whole(self) -> int:
        """Requests that have come and have to be answered: more than one if they are pipelined."""
        return self._num_unanswered - (self._part is _Part.BODY and self._num_unanswered > 0)

    def _enter(self, phase: _Phase) -> None:
        _stop(self._phase_timer)
        self._phase = phase
        match phase:
            case _Phase.HEAD:
                self._phase_timer = self.loop.call_later(self._patience.header_s, self._hurry)
            case _Phase.LINGER:
                self._unwanted_bytes = 0
                self._phase_timer = self.loop.call_later(LINGER_S, self.transport.abort)
            case _Phase.CLOSING:
                self._lobby.wait(self.transport)
                self._phase_timer = self.loop.call_later(
                    self._patience.reply_s, self.transport.abort
                )
            case _Phase.WHOLE:
                self._lobby.serve(self.transport)
            case _Phase.IDLE:
                self._lobby.wait(self.transport)

    def _hurry(self) -> None:
        self._metrics.rejected.labels(reason="slow_header").inc()
        if self._fruitless_bytes:
            self._answer(
                HTTPStatus.REQUEST_TIMEOUT,
                "request_timeout",
                f"the head of the request took longer than {self._patience.header_s:g} s",
            )
        else:  # nothing was asked
            self.transport.abort()
        self._look()

    def _break_off(self) -> None:
        self._metrics.rejected.labels(reason="slow_reader").inc()
        self.transport.abort()

    def _refuse(self, status: HTTPStatus) -> None:
        """What came last cannot become a request; what came before is answered first."""
        self._metrics.rejected.labels(reason="malformed").inc()
        self._fault = status
        self._tell_fault()

    def _tell_fault(self) -> None:
        if self._fault is not None and not self._num_whole and not self.transport.is_closing():
            text = f"Invalid request: {self._fault.phrase.lower()}"
            self._answer(self._fault, "invalid_request", text)

    def _answer(self, status: HTTPStatus, code: str, text: str) -> None:
        """Answer what has not become a request, and close."""
        headers = {
            "Connection": "close",
            "X-Content-Type-Options": "nosniff",
            REQUEST_ID_HEADER: request_id(""),
        }
        self._write(JSONResponse({"error": text, "code": code}, status, headers))
        self.transport.close()

    def _write(self, response: Response) -> None:
        """Write a reply that no app had a part in."""
        fields = (*self.server_state.default_headers, *response.raw_headers)
        lines = [b"%b: %b\r\n" % field for field in fields]
        status_line = STATUS_LINE[response.status_code]
        self.transport.write(b"".join((status_line, *lines, b"\r\n", response.body)))


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
