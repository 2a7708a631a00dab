"""Reads and writes documents in a process of its own.

Started as `python -m service.documents.processes.child`. Takes tasks as lines of JSON from a
socket, answers each with a line of JSON, and ends with the socket. Its paths come from the front,
its documents from strangers: it has limits of memory and CPU time, and nothing else to lose.
"""

import argparse
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

_NAME = "pellucid-document"
_PR_SET_PDEATHSIG = 1
_NICENESS = 5
"""Requests go first."""
_IDLE_S = 60.0
"""A child without a task for so long gives its memory back by its end."""
_LARGE_BYTES = 96 << 20
"""A child that once was so large ends after its task: Python would keep the memory."""

LIMIT = "limit"
REFUSED = "refused"
STORAGE = "storage"
FAILED = "failed"
"""Kinds of errors."""

Reply = dict[str, Any]
Task = Mapping[str, Any]


def main() -> int:
    """Serve tasks until the front has gone; returns the exit code."""
    arguments = _arguments()
    # The front decides when a child ends; a supervisor may signal all processes of a service.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _end_with(arguments.parent)
    _set_name()
    sys.unraisablehook = _ignore
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=arguments.socket) as connection:
        try:
            for task in _tasks(connection):
                reply = reply_to(task) | {"is_last": _peak_bytes() > _LARGE_BYTES}
                connection.sendall(json.dumps(reply).encode("ascii") + b"\n")
                if reply["is_last"]:
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass  # the front has gone
    return 0


def reply_to(task: Task) -> Reply:
    """Do a task within its limits."""
    _limit(task)
    try:
        return {"count": _TASKS[task["task"]](task)}
    except MemoryError:
        return {"error": LIMIT, "message": "memory"}
    except OSError as error:
        return {"error": STORAGE, "message": str(error), "errno": error.errno}
    except Exception as error:  # noqa: BLE001 - the front logs it; the message may quote the file
        return _refusal(error)


def _refusal(error: Exception) -> Reply:
    from service.documents.errors import DocumentError

    if isinstance(error, DocumentError):
        return {"error": REFUSED, "message": str(error)}
    return {"error": FAILED, "message": type(error).__name__}


def _read(task: Task) -> int:
    """Write the strings of a document; returns their number."""
    from service.documents.formats import read_document
    from service.documents.processes.strings_file import write_strings

    document = read_document(task["name"], Path(task["document"]).read_bytes(), task["columns"])
    with _replacing(Path(task["strings"])) as path:
        return write_strings(path, document.iter_strings())


def _write(task: Task) -> int:
    """Write the document with its translations; returns its size in bytes."""
    from service.documents.formats import read_document
    from service.documents.pieces import pieces_of
    from service.documents.processes.strings_file import read_translations

    document = read_document(task["name"], Path(task["document"]).read_bytes(), task["columns"])
    translations = dict(read_translations(map(Path, task["translations"])))
    numbers = count()
    data = document.write(
        [
            "".join(translations[next(numbers)] for _ in pieces_of(string))
            for string in document.iter_strings()
        ],
        task["language"],
    )
    with _replacing(Path(task["result"])) as path:
        return path.write_bytes(data)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A path to write to, for a file that appears as a whole or not at all."""
    staged = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        yield staged
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


_TASKS: Mapping[str, Callable[[Task], int]] = {"read": _read, "write": _write}


def _tasks(connection: socket.socket) -> Iterator[Task]:
    buffer = b""
    while select.select([connection], [], [], _IDLE_S)[0]:
        data = connection.recv(65_536)
        if not data:
            return
        *lines, buffer = (buffer + data).split(b"\n")
        yield from map(json.loads, lines)


def _limit(task: Task) -> None:
    """Begin the limits of a task: memory in all, and CPU time from now on.

    Beyond its CPU time the kernel ends the process with SIGXCPU.
    """
    _lower(resource.RLIMIT_DATA, task["memory_bytes"])
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + task["cpu_s"]) + 1)


def _lower(limit: int, value: int) -> None:
    """Set a soft limit, which later tasks may raise again."""
    _, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (value if hard < 0 else min(value, hard), hard))


def _peak_bytes() -> int:
    """The largest memory of this program; `ru_maxrss` would count that of the front before it."""
    try:
        status = Path("/proc/self/status").read_bytes()
        return int(status.partition(b"VmHWM:")[2].split(maxsplit=1)[0]) * 1024
    except (OSError, IndexError):  # not on this system
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _end_with(parent: int) -> None:
    """Let the kernel end this process with the front: a parser does not look at its socket."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return  # not on this system: the limit of CPU time ends it
    if os.getppid() != parent:
        sys.exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Reads documents for Pellucid; started by it.")
    parser.add_argument("--socket", type=int, required=True, help="file descriptor")
    parser.add_argument("--parent", type=int, required=True, help="process of the front")
    return parser.parse_args()


def _ignore(_: object) -> None:
    """A generator that runs out of memory while it is closed has nothing to say to the log."""


def _set_name() -> None:
    """Be recognised in `top` and `ps`."""
    try:
        Path("/proc/self/comm").write_text(_NAME[:15], encoding="ascii")
    except OSError:
        return  # not on this system


if __name__ == "__main__":
    sys.exit(main())
