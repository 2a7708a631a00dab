"""An engine in a Ray actor: the loop of an engine process, with calls in place of a connection.

A thread runs `service.scheduling.workers.engine_process` at one end of a socket pair; at the other,
calls pass whole frames in and out. Knows neither the frames' contents nor Ray.
"""

import argparse
import asyncio
import itertools
import os
import socket
import sys
import threading
from pathlib import Path

from service.scheduling.workers.engine_process import serve
from service.scheduling.workers.framing import HEADER

_BUFFER_BYTES = 4 << 20
"""Of the socket, either way: the loop never waits for calls."""
_SWITCH_S = 0.0005
"""Longest time for which the loop keeps the interpreter while a call waits."""


class EngineActor:
    """Serves one engine of one bundle; its methods are called on one event loop."""

    def __init__(self, folder: Path, sha256: str, *, num_slots: int, num_threads: int) -> None:
        """Open nothing before `open`.

        Args:
            folder: Of the bundle, on this machine.
            sha256: Of the manifest that the front has verified.
            num_slots: Rows that are decoded side by side.
            num_threads: Threads within one operator.
        """
        self._arguments = argparse.Namespace(
            bundle=folder, sha256=sha256, sealed=None, slots=num_slots, threads=num_threads
        )
        self._receiving = asyncio.Lock()
        self._numbers = itertools.count()
        self._early: dict[int, bytes] = {}
        self._num_written = 0

    async def open(self) -> int:
        """Start the loop, whose first frame says whether it can work; returns the process's id."""
        sys.setswitchinterval(_SWITCH_S)
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        threading.Thread(
            target=self._serve, args=(theirs,), name="pellucid-engine", daemon=True
        ).start()
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        return os.getpid()

    async def send(self, number: int, frame: bytes) -> None:
        """Give the loop a frame, after all with lower numbers: calls may overtake each other."""
        self._early[number] = frame
        while (due := self._early.pop(self._num_written, None)) is not None:
            self._num_written += 1
            self._writer.write(due)

    async def receive(self) -> tuple[int, bytes]:
        """The next frame of the loop, and its number; waits for it. Empty: the loop has ended.

        Several calls may wait; each gets one frame, in turn. Answers may overtake each other on
        their way.
        """
        async with self._receiving:
            number = next(self._numbers)
            try:
                header = await self._reader.readexactly(HEADER.size)
                return number, header + await self._reader.readexactly(*HEADER.unpack(header))
            except (asyncio.IncompleteReadError, ConnectionError):
                return number, b""

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            serve(connection, self._arguments)
