"""The process: one socket, one event loop, and an end that loses no accepted request."""

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

from service.api.in_flight import Gate
from service.errors import StartupError

_BACKLOG = 2048
_KEEP_ALIVE_S = 75
"""Longer than proxies keep idle connections, so that it is never us who closes under a request."""
_LAST_WORDS_S = 2
"""Time for replies that are ready to reach their clients, once nothing more is worked on."""

_log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Drains on SIGTERM or SIGINT: stays reachable, takes nothing new, finishes what it has.

    Reloads on SIGHUP.
    """

    def __init__(
        self,
        app: FastAPI,
        gate: Gate,
        drain_s: float,
        on_start: Callable[[], None],
        connect: Callable[..., asyncio.Protocol],
        on_reload: Callable[[], object],
        farewell_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to serve.

        Args:
            app: What is served.
            gate: Its work; closed by the first signal.
            drain_s: Seconds until work that is still inside is given up.
            on_start: Called once requests are answered.
            connect: Makes what speaks to a new connection, from what uvicorn gives its protocols.
            on_reload: Called on SIGHUP; returns at once.
            farewell_s: Seconds from the first signal until the gate is closed.
            clock: Monotonic, seconds.
        """
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("type[asyncio.Protocol]", connect),  # called, and no more asked of it
                lifespan="on",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,  # the app has its own, which follows our settings
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_LAST_WORDS_S,
            )
        )
        self._gate = gate
        self._drain_s = drain_s
        self._on_start = on_start
        self._on_reload = on_reload
        self._farewell_s = farewell_s
        self._clock = clock
        self._close_s: float | None = None
        self._give_up_s = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say so."""
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)
        self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Begin to say farewell and to drain; a second signal ends at once."""
        now_s = self._clock()
        if self._close_s is None:
            self._close_s = now_s + self._farewell_s
            self._give_up_s = self._close_s + self._drain_s
        else:
            self._close_s = self._give_up_s = now_s
        self._gate.announce_end()
        self._close_in_time()

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to end; asked ten times a second."""
        return await super().on_tick(counter) or self._is_drained()

    def _is_drained(self) -> bool:
        if not self._close_in_time():
            return False
        if self._clock() >= self._give_up_s:
            self._gate.expel()
            return True
        return self._gate.is_empty

    def _close_in_time(self) -> bool:
        """Whether the gate has been closed by now."""
        if self._close_s is None or self._clock() < self._close_s:
            return False
        self._gate.close()
        return True

    def _reload(self) -> None:
        if self._close_s is None:
            self._on_reload()


def ignore_reloads() -> None:
    """Until a server takes them: SIGHUP would end a process that is still reading its bundles."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def bind(host: str, port: int) -> socket.socket:
    """Take the address before anything slow is done; nobody can connect until it is served.

    Raises:
        StartupError: It is in use, not allowed, or not ours.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Said outright, because asyncio switches Nagle off only for a socket that says it is TCP.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise StartupError(f"{host} is no address of this machine: {error.strerror}") from error
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
