"""An engine as a child process: starts it, talks to it, notices when it dies or hangs."""

import os
import select
import socket
import subprocess  # nosec B404 - starts our own module
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from bundle.reader import Bundle
from service.engine.loop import Progress
from service.scheduling.workers.engine_client import EngineDiedError
from service.scheduling.workers.messages import (
    BrokenFrameError,
    Frames,
    Message,
    Ready,
    Refused,
    encode,
)
from service.scheduling.workers.remote_engine import LOOK_S, START_S, RemoteEngine, first_of
from service.scheduling.workers.reports import Reports

_MODULE = "service.scheduling.workers.engine_start"
_END_S = 2.0
"""How long an engine may take to leave before it is killed."""
_LONGEST_WAIT_S = 2_000_000.0
"""Of a socket; it counts milliseconds in 31 bits, and refuses more than 2,147,483 s."""
_BUFFER_BYTES = 4 << 20
"""Of the socket, either way: neither side ever waits for the other to read."""
_RECEIVE_BYTES = 1 << 18
_HUGE_PAGES = "glibc.malloc.hugetlb=1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOptions:
    """How an engine process runs."""

    num_slots: int
    num_threads: int = 1
    max_silence_s: float = 60.0
    """An engine without a report for so long hangs, and is killed; 0: never."""


class ProcessEngine(RemoteEngine):
    """See `EngineClient`."""

    def __init__(self, bundle: Bundle, options: ProcessOptions) -> None:
        super().__init__(options.num_slots)
        self._bundle = bundle
        self._options = options
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._wake_fd)  # any thread may `wake`, at any time
        self._connection: socket.socket | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._frames = Frames()

    @property
    def pid(self) -> int | None:
        """Of the child, while there is one."""
        return None if self._child is None else self._child.pid

    def launch(self) -> None:
        """Start the child without waiting for it, so that several start side by side."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        with theirs:
            self._child = subprocess.Popen(  # nosec B603 - no word of it comes from outside
                self._command(theirs.fileno()),
                pass_fds=[theirs.fileno(), *self._sealed],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # a reader of ours waits for no engine
                env=_environment(),
                process_group=0,  # Ctrl-C is for the front, which ends its engines
            )
        self._connection, self._frames, self._reports = ours, Frames(), Reports()
        self._heard_s = time.monotonic()

    def work(self, timeout_s: float) -> Progress[int]:
        """What it has done since; waits for that, for `wake` or for `timeout_s` seconds."""
        connection = self._open_connection()
        ready, _, _ = select.select([connection.fileno(), self._wake_fd], [], [], timeout_s)
        if self._wake_fd in ready:
            os.eventfd_read(self._wake_fd)
        progress: Progress[int] = Progress()
        if connection.fileno() in ready:
            self._receive(progress)
        elif 0 < self._options.max_silence_s < self.silence_s:
            self._kill_child()
            raise EngineDiedError(f"no report for {self._options.max_silence_s:g} s")
        return progress

    @property
    def wake(self) -> Callable[[], object]:
        """Lets `work` return; any thread may call it, and keeps the descriptor open."""
        return self._signal

    def close(self) -> None:
        """End the child: at once if it hangs, else by itself."""
        child, self._child = self._child, None
        if self._connection is not None:
            self._connection.close()  # to the child, the end of its work
            self._connection = None
        if child is None:
            return
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def kill(self) -> None:
        """End the child without waiting for what it is in."""
        self._kill_child()
        self.close()

    def _signal(self) -> None:
        os.eventfd_write(self._wake_fd, 1)

    def _kill_child(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _command(self, descriptor: int) -> list[str]:
        options = self._options
        return [
            *(sys.executable, "-m", _MODULE),
            *("--socket", str(descriptor)),
            *("--bundle", str(self._bundle.path)),
            *("--sha256", self._bundle.sha256),
            *("--slots", str(options.num_slots)),
            *("--threads", str(options.num_threads)),
            *(f"--sealed={descriptor}" for descriptor in self._sealed),
        ]

    @property
    def _is_launched(self) -> bool:
        return self._child is not None

    @property
    def _sealed(self) -> tuple[int, ...]:
        """The descriptor of the bundle's files, where they are in sealed memory."""
        files = self._bundle.files
        return () if files is None else (files.descriptor,)

    def _open_connection(self) -> socket.socket:
        if self._connection is None:
            raise EngineDiedError("it was ended")
        return self._connection

    def _send(self, message: Message) -> None:
        try:
            self._open_connection().sendall(encode(message))
        except TimeoutError as error:
            self._kill_child()
            raise EngineDiedError("it takes no messages") from error
        except OSError as error:
            raise EngineDiedError(self._cause(error)) from error

    def _receive(self, progress: Progress[int]) -> None:
        try:
            for message in self._messages():
                self._reports.add_to(progress, message)
        except BrokenFrameError as error:
            self._kill_child()
            raise EngineDiedError(str(error)) from error

    def _messages(self) -> list[Message]:
        connection = self._open_connection()
        try:
            data = connection.recv(_RECEIVE_BYTES)
            if not data:
                raise EngineDiedError(self._cause())
            self._heard_s = time.monotonic()
            return list(self._frames.feed(data))
        except (OSError, BrokenFrameError) as error:
            raise EngineDiedError(self._cause(error)) from error

    def _first_message(self) -> Ready | Refused:
        connection = self._open_connection()
        connection.settimeout(min(self._options.max_silence_s, _LONGEST_WAIT_S) or None)
        give_up_s = time.monotonic() + START_S
        while self._is_wanted and time.monotonic() < give_up_s:
            if not select.select([connection], [], [], LOOK_S)[0]:
                continue
            for message in self._messages():
                return first_of(message)
        self._kill_child()
        raise EngineDiedError(f"it was not ready within {START_S:g} s")

    def _cause(self, error: Exception | None = None) -> str:
        if self._child is None:
            return "it was ended"
        try:
            code = self._child.wait(_END_S)
        except subprocess.TimeoutExpired:
            return f"it does not answer: {error}"
        return f"killed by signal {-code}" if code < 0 else f"it ended with exit code {code}"


def _environment() -> dict[str, str]:
    """The child imports what this process imports, and asks for huge pages where glibc has them.

    NumPy's BLAS would start a thread for each CPU, though only ALTI multiplies matrices with it.
    """
    tunables = os.environ.get("GLIBC_TUNABLES")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)) or ".",
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
        "GLIBC_TUNABLES": f"{tunables}:{_HUGE_PAGES}" if tunables else _HUGE_PAGES,
    }
