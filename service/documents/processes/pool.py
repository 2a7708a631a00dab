"""The child processes that read and write documents: starts them, asks them, replaces them."""

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess  # nosec B404 - starts our own module
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.documents.errors import DocumentError, DocumentProcessError
from service.documents.formats import has_compiled_reader
from service.documents.processes.child import LIMIT, REFUSED, STORAGE
from service.documents.processes.strings_file import StringsSize
from service.documents.shares import FairSlots

_MODULE = "service.documents.processes.child"
_MAX_REPLY_BYTES = 65_536
_WRITING_FACTOR = 2
"""Writing holds the document, its translations and the result."""
_CRASHES = frozenset(
    {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP}
)
"""What a compiled library ends its process with, on a file or where memory is short."""
_ATTEMPTS = 2
"""A child may have been killed for no fault of the document."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """Limits of the processes that read and write documents."""

    num_processes: int = 2
    max_memory_bytes: int = 201_326_592
    """Data of a process that reads a document; one that writes may have twice as much."""
    max_cpu_s: float = 60.0
    """CPU time for reading a document, and for writing it."""


class DocumentPool:
    """Reads and writes documents in child processes, which start with their first task.

    For one event loop. A task that is cancelled ends its process.
    """

    def __init__(self, limits: DocumentLimits) -> None:
        self._limits = limits
        self._slots = FairSlots(limits.num_processes)
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._reaper = ThreadPoolExecutor(1, thread_name_prefix="pellucid-reaper")
        """Waits for the end of children: one with much memory takes its time."""
        self._is_closed = False

    async def read(
        self, name: str, document: Path, strings: Path, client: str, columns: str = ""
    ) -> StringsSize:
        """Parse a document and write its strings; returns how much there is.

        Args:
            name: File name; its suffix determines the format.
            document: The file.
            strings: Where its strings are written.
            client: Whose document it is; clients take turns.
            columns: Of a table, to translate; empty: all.

        Raises:
            DocumentError: The document cannot be parsed, or not within the limits.
            DocumentProcessError: The process failed for another reason.
            OSError: A file cannot be read or written.
        """
        paths = {"document": str(document), "strings": str(strings)}
        task = {"task": "read", "name": name, "columns": columns, **paths}
        reply = await self._ask(task, client)
        return StringsSize(num_strings=reply["count"], num_chars=reply["chars"])

    async def write(
        self,
        name: str,
        document: Path,
        translations: list[Path],
        result: Path,
        client: str,
        language: str = "",
        columns: str = "",
    ) -> int:
        """Write a document with its translations; returns its size in bytes.

        Args:
            name: File name; its suffix determines the format.
            document: The file.
            translations: Files with a translation of each of its strings.
            result: Where it is written, at once and as a whole.
            client: Whose document it is; clients take turns.
            language: BCP-47 code of the translation.
            columns: Of a table, those that were read.

        Raises:
            DocumentError: The document cannot be written within the limits.
            DocumentProcessError: The process failed for another reason.
            OSError: A file cannot be read or written.
        """
        task = {
            "task": "write",
            "name": name,
            "document": str(document),
            "translations": [str(path) for path in translations],
            "result": str(result),
            "language": language,
            "columns": columns,
        }
        return (await self._ask(task, client, memory_factor=_WRITING_FACTOR))["count"]

    async def close(self) -> None:
        """End all processes."""
        await asyncio.gather(*(self._end(child) for child in (*self._idle, *self._busy)))
        self._idle.clear()
        self._is_closed = True
        self._reaper.shutdown(wait=False)

    async def _ask(
        self, task: dict[str, Any], client: str, memory_factor: int = 1
    ) -> dict[str, int]:
        memory_bytes = self._limits.max_memory_bytes * memory_factor
        task = {**task, "memory_bytes": memory_bytes, "cpu_s": self._limits.max_cpu_s}
        async with self._slots.slot(client):
            for _ in range(_ATTEMPTS):
                reply = await self._reply(task)
                if reply is not None:
                    return self._counts(reply, task)
        raise DocumentProcessError("the process that reads files died")

    async def _reply(self, task: dict[str, Any]) -> dict[str, Any] | None:
        """A child's reply; None if it died."""
        child = self._child()
        reply = None
        try:
            reply = await child.ask(task)
        finally:
            self._busy.discard(child)
            if reply is None or reply["is_last"]:
                ended = self._end(child)
            else:
                self._idle.append(child)
        if reply is None:
            code = await ended
            if code == -signal.SIGXCPU:
                return {"error": LIMIT, "message": "cpu"}
            if -code in _CRASHES and has_compiled_reader(task["name"]):
                return {"error": LIMIT, "message": "crash"}
            _log.warning("document process died", extra={"exit_code": code, "task": task["task"]})
        return reply

    def _child(self) -> "_Child":
        """One that is idle, or a new one."""
        while self._idle:
            child = self._idle.pop()
            if child.is_running:
                break
            self._end(child)
        else:
            child = _Child()
        self._busy.add(child)
        return child

    def _end(self, child: "_Child") -> "asyncio.Future[int]":
        """End a child; its exit code, negative for the signal that ended it."""
        child.kill()
        loop = asyncio.get_running_loop()
        if not self._is_closed:
            return loop.run_in_executor(self._reaper, child.wait)
        ended = loop.create_future()
        ended.set_result(child.wait())  # `close` has waited for it
        return ended

    def _counts(self, reply: dict[str, Any], task: dict[str, Any]) -> dict[str, int]:
        match reply:
            case {"count": int(count)}:
                return {"count": count, "chars": int(reply.get("chars", 0))}
            case {"error": error, "message": message} if error == LIMIT:
                raise DocumentError(self._over_limit(message, task))
            case {"error": error, "message": message} if error == REFUSED:
                raise DocumentError(message)
            case {"error": error, "message": message, "errno": number} if error == STORAGE:
                raise OSError(number, message)
            case _:
                raise DocumentProcessError(f"cannot {task['task']} a file: {reply.get('message')}")

    def _over_limit(self, limit: str, task: dict[str, Any]) -> str:
        what = f"to {task['task']} the file needs more than"
        if limit == "cpu":
            return f"{what} {task['cpu_s']:g} s of processor time: send it in parts"
        if limit == "crash":
            return (
                f"the file is damaged, or {what} {task['memory_bytes']} bytes of memory: save it "
                "again with another program, or send it in parts"
            )
        return f"{what} {task['memory_bytes']} bytes of memory: send it in parts"


class _Child:
    """One process, and the socket to it."""

    def __init__(self) -> None:
        self._connection, theirs = socket.socketpair()
        self._connection.setblocking(False)
        with theirs:
            descriptor = theirs.fileno()
            self._process = subprocess.Popen(  # nosec B603 - no word of it comes from outside
                [
                    *(sys.executable, "-m", _MODULE),
                    *("--socket", str(descriptor), "--parent", str(os.getpid())),
                ],
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)) or "."},
                process_group=0,  # Ctrl-C is for the front, which ends its children
            )

    async def ask(self, task: dict[str, Any]) -> dict[str, Any] | None:
        """Its reply to a task; None if it has ended, or sent nonsense."""
        loop = asyncio.get_running_loop()
        received = b""
        try:
            await loop.sock_sendall(self._connection, json.dumps(task).encode("ascii") + b"\n")
            while not received.endswith(b"\n") and len(received) < _MAX_REPLY_BYTES:
                data = await loop.sock_recv(self._connection, _MAX_REPLY_BYTES)
                if not data:
                    return None
                received += data
            reply = json.loads(received)
        except (OSError, ValueError):
            return None
        return reply if isinstance(reply, dict) and "is_last" in reply else None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended by itself, after much work or none for long."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it, unless it has ended by itself."""
        self._connection.close()
        self._process.kill()

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait()
