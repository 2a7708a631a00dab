"""An engine in a process of its own, once `engine_start` has begun it.

It polls its socket, encodes ahead, steps, and sends what has finished; one thread, no locks. It
imports NumPy, onnxruntime and the engine; no server, no settings, no tokenizer.
"""

import argparse
import os
import select
import socket
import time
from collections import deque

from bundle.errors import InvalidBundleError
from bundle.reader import Bundle, open_sealed, open_verified
from bundle.sealed import SealedFiles
from service.engine.graphs.sessions import open_sessions
from service.engine.loop import EngineLoop, Progress
from service.scheduling.workers.messages import (
    Attend,
    BrokenFrameError,
    Cancel,
    Frames,
    Message,
    Part,
    Ready,
    Refused,
    Report,
    Stop,
    Submit,
    encode,
    parts_of,
)

BEAT_S = 0.25
"""An engine reports at least this often."""
_RECEIVE_BYTES = 1 << 18


class EngineProcess:
    """Serves one engine over one connection until the other end closes it."""

    def __init__(self, connection: socket.socket, loop: EngineLoop[int]) -> None:
        self._connection = connection
        self._loop = loop
        self._frames = Frames()
        self._progress: Progress[int] = Progress()
        self._parts: deque[Part] = deque()
        self._reported_s = 0.0

    def run(self) -> None:
        """Work until the front says stop or has gone."""
        while self._receive():
            if not self._loop.is_idle:
                self._loop.iterate(self._progress)
            self._report()
            self._send_part()

    def _receive(self) -> bool:
        """Take what has been sent; False once there will be no more."""
        wait_s = BEAT_S if self._loop.is_idle else 0.0
        # While parts wait, that they can be sent is news as well.
        writing = [self._connection] if self._parts else []
        while select.select([self._connection], writing, [], wait_s)[0]:
            data = self._connection.recv(_RECEIVE_BYTES)
            if not data:
                return False
            for message in self._frames.feed(data):
                if isinstance(message, Stop):
                    return False
                self._take(message)
            wait_s = 0.0
        return True

    def _take(self, message: Message) -> None:
        match message:
            case Submit(requests=requests, is_urgent=is_urgent):
                self._loop.submit(requests, is_urgent=is_urgent)
            case Attend(request=request):
                self._loop.attend(request)
            case Cancel(handles=handles):
                self._loop.cancel(handles)
                self._parts = deque(part for part in self._parts if part.handle not in handles)
            case _:
                raise BrokenFrameError(f"{type(message).__name__} is not for an engine")

    def _report(self) -> None:
        now_s = time.monotonic()
        progress = self._progress
        for attended in progress.attended:
            self._parts.extend(parts_of(attended))
        progress.attended.clear()
        if not (progress.decoded or progress.failures) and now_s - self._reported_s < BEAT_S:
            return
        progress.slots_in_use = self._loop.slots_in_use
        self._connection.sendall(encode(Report(progress=progress)))
        self._progress, self._reported_s = Progress(), now_s

    def _send_part(self) -> None:
        """Send a part if the socket takes it at once: a step comes in between."""
        if self._parts and select.select([], [self._connection], [], 0.0)[1]:
            self._connection.sendall(encode(self._parts.popleft()))


def serve(connection: socket.socket, arguments: argparse.Namespace) -> int:
    """Open the bundle, say so, and serve the other end until it has gone; returns the exit code."""
    try:
        bundle = _open_bundle(arguments)
        sessions = open_sessions(bundle, num_threads=arguments.threads)
        sessions.attention  # noqa: B018 - opened while the bundle is known to be unchanged
        loop: EngineLoop[int] = EngineLoop(sessions, num_slots=arguments.slots)
    except (InvalidBundleError, OSError, MemoryError) as error:
        connection.sendall(encode(Refused(reason=str(error) or type(error).__name__)))
        return 1
    connection.sendall(encode(Ready(num_slots=arguments.slots, pid=os.getpid())))
    EngineProcess(connection, loop).run()
    return 0


def _open_bundle(arguments: argparse.Namespace) -> Bundle:
    if arguments.sealed is None:
        return open_verified(arguments.bundle, arguments.sha256)
    return open_sealed(arguments.bundle, SealedFiles(arguments.sealed))
