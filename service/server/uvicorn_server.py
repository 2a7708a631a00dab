"""The server process: one socket, one event loop, graceful shutdown, reload on SIGHUP."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import cast

import uvicorn
from fastapi import FastAPI

from service.api.requests.in_flight import InFlight
from service.errors import StartupError
from service.server.connections.accept_errors import AcceptErrors
from service.server.connections.limit import max_accepted_per_turn

_BACKLOG = 2048
_KEEP_ALIVE_S = 75
"""Longer than proxies keep idle connections, so that no request meets a connection being closed."""
_FLUSH_S = 2
"""Time for finished replies to reach their clients after the last request."""

_log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Shuts down gracefully on SIGTERM or SIGINT, and reloads bundles on SIGHUP.

    After the first signal, requests are accepted for `shutdown_delay_s` while the readiness probe
    fails; then new ones are refused and accepted ones get `drain_s` to finish.
    """

    def __init__(
        self,
        app: FastAPI,
        in_flight: InFlight,
        drain_s: float,
        on_start: Callable[[], None],
        connect: Callable[..., asyncio.Protocol],
        on_reload: Callable[[], object],
        shutdown_delay_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Configure the server.

        Args:
            app: The application to serve.
            in_flight: Its requests in flight; closed on shutdown.
            drain_s: Time for requests in flight to finish before they are cancelled.
            on_start: Called once the server accepts requests.
            connect: Creates the protocol of a connection from the arguments that uvicorn passes.
            on_reload: Called on SIGHUP; must not block.
            shutdown_delay_s: Time from the first signal until new requests are refused.
            clock: Monotonic, seconds.
        """
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("type[asyncio.Protocol]", connect),  # only called
                lifespan="on",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,  # the app has its own, with our settings
                backlog=max_accepted_per_turn(),  # also the connections not yet accepted: `startup`
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_FLUSH_S,
            )
        )
        self._in_flight = in_flight
        self._drain_s = drain_s
        self._on_start = on_start
        self._on_reload = on_reload
        self._shutdown_delay_s = shutdown_delay_s
        self._clock = clock
        self._refuse_from_s: float | None = None
        self._cancel_at_s = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then call `on_start`."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_BACKLOG)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(AcceptErrors())
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Start the shutdown; a second signal cancels requests in flight at once."""
        now_s = self._clock()
        if self._refuse_from_s is None:
            self._refuse_from_s = now_s + self._shutdown_delay_s
            self._cancel_at_s = self._refuse_from_s + self._drain_s
        else:
            self._refuse_from_s = self._cancel_at_s = now_s
        self._in_flight.announce_shutdown()
        self._close_if_due()

    async def on_tick(self, counter: int) -> bool:
        """Whether to end now; uvicorn asks ten times a second."""
        return await super().on_tick(counter) or self._is_drained()

    def _is_drained(self) -> bool:
        if not self._close_if_due():
            return False
        if self._clock() >= self._cancel_at_s:
            self._in_flight.cancel_all()
            return True
        return self._in_flight.is_empty

    def _close_if_due(self) -> bool:
        """Refuse new requests once the delay is over; returns whether it is."""
        if self._refuse_from_s is None or self._clock() < self._refuse_from_s:
            return False
        self._in_flight.close()
        return True

    def _reload(self) -> None:
        if self._refuse_from_s is None:
            self._on_reload()


def ignore_reloads() -> None:
    """Ignore SIGHUP until a server handles it: by default it would end a starting process."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def bind(host: str, port: int) -> socket.socket:
    """Bind the address before the slow part of the start; connections are accepted only later.

    Raises:
        StartupError: The address is in use, not allowed, or not of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Explicit protocol: asyncio sets TCP_NODELAY only on sockets that name it.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise StartupError(f"{host} is not an address of this machine: {error.strerror}") from error
    except UnicodeError as error:  # of a part between dots that is empty, or over 63 bytes
        raise StartupError(f"{host} is not an address of this machine: {error}") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise StartupError(
            f"cannot listen on {host} port {port}, {error.strerror}: "
            "stop what uses it or choose another with --host and --port"
        ) from error
    return listener
