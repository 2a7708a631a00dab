"""A client's connection: slow clients are waited for, but not for ever.

uvicorn itself bounds only the pause between two requests.
"""

import asyncio
import json
import logging
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.descriptor_limit import allow_connections
from service.lobby import Lobby
from service.settings import Settings
from service.telemetry import Metrics

LINGER_S = 2.0
"""For reading on after an answer that came before the end of the request: who is still sending
would not see it if the connection were closed at once."""
READ_BYTES = 16_384
"""What is read of one connection before others have their turn: asyncio would take sixteen times as
much, which holds everybody up for 0.3 s where it is a body in chunks of a byte."""
LINGER_BYTES = 1_048_576
"""So much is read and thrown away meanwhile; the rest is left to the client."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client may take, in seconds."""

    header_s: float
    """For the head of a request, from its first byte; for the first one, from the connection."""
    reply_s: float
    """For taking what is written to it."""


def connections(settings: Settings, metrics: Metrics) -> Callable[..., "Connection"]:
    """Makes connections as `settings` allow them, and the system."""
    max_connections = allow_connections(settings.max_connections)
    if max_connections < settings.max_connections:
        _log.warning("fewer connections than configured", extra={"connections": max_connections})
    return partial(
        Connection,
        lobby=Lobby(max_connections, metrics),
        metrics=metrics,
        patience=Patience(header_s=settings.header_timeout_s, reply_s=settings.reply_timeout_s),
    )


class _Phase(Enum):
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


class Connection(H11Protocol):
    """uvicorn's protocol with time limits, and with errors in the shape of all others."""

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - uvicorn's own
        lobby: Lobby,
        metrics: Metrics,
        patience: Patience,
        **named: Any,  # noqa: ANN401 - uvicorn's own
    ) -> None:
        super().__init__(*arguments, **named)
        self._lobby = lobby
        self._metrics = metrics
        self._patience = patience
        self._phase = _Phase.HEAD
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
        super().data_received(data)
        self._look()
        if self._phase is _Phase.LINGER:
            self._unwanted_bytes += len(data)
            if self._unwanted_bytes > LINGER_BYTES:
                self.flow.pause_reading()

    def on_response_complete(self) -> None:
        """The reply is on its way."""
        super().on_response_complete()
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

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's, plain text
        """What came is no HTTP, or has too long a head."""
        error = sys.exception()
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._metrics.rejected.labels(reason="malformed").inc()
        self._refuse(HTTPStatus(status), f"Invalid request: {HTTPStatus(status).phrase.lower()}")

    def _look(self) -> None:
        """Find out whose turn it is now."""
        phase = self._present_phase()
        if phase is not self._phase:
            self._enter(phase)

    def _present_phase(self) -> _Phase:
        if self.transport.is_closing():
            return _Phase.CLOSING
        if self.conn.their_state is h11.IDLE:
            return _Phase.HEAD if self.timeout_keep_alive_task is None else _Phase.IDLE
        if self.conn.their_state is h11.SEND_BODY:
            return _Phase.LINGER if self.cycle.response_complete else _Phase.BODY
        return _Phase.WHOLE

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
        if not self.conn.trailing_data[0]:  # nothing was asked
            self.transport.abort()
            return
        self._refuse(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the head of the request took longer than {self._patience.header_s:g} s",
        )
        self._look()

    def _break_off(self) -> None:
        self._metrics.rejected.labels(reason="slow_reader").inc()
        self.transport.abort()

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer what has not become a request, and close."""
        is_late = status is HTTPStatus.REQUEST_TIMEOUT
        code = "request_timeout" if is_late else "invalid_request"
        body = json.dumps({"error": text, "code": code}).encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": uuid.uuid4().hex,
        }
        head = h11.Response(status_code=status, headers=[*headers.items()], reason=status.phrase)
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
