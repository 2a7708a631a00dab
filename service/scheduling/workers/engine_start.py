"""Starts an engine process: `python -m service.scheduling.workers.engine_start`.

Imports the standard library alone until it can tell the front why nothing else can be imported.
"""

import argparse
import signal
import socket
import sys
from pathlib import Path

from service.scheduling.workers.framing import REFUSED, frame

_NAME = "pellucid-engine"


def main() -> int:
    """Serve the engine until the front has gone; returns the exit code."""
    # The front decides when an engine ends; a supervisor may signal all processes of a service.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    arguments = _arguments()
    _set_name()
    with socket.socket(fileno=arguments.socket) as connection:
        try:
            return _serve(connection, arguments)
        except (BrokenPipeError, ConnectionResetError):
            return 0  # the front has gone


def _serve(connection: socket.socket, arguments: argparse.Namespace) -> int:
    try:
        from service.scheduling.workers.engine_process import serve
    except (ImportError, MemoryError, OSError, SystemError) as error:
        connection.sendall(frame((REFUSED, _reason(error))))
        return 1
    return serve(connection, arguments)


def _reason(error: BaseException) -> str:
    """What lies at the bottom: NumPy wraps a missing library in a page of advice."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="An engine of Pellucid; started by the service.")
    parser.add_argument("--socket", type=int, required=True, help="file descriptor")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--sha256", required=True, help="of the manifest that was verified")
    parser.add_argument("--sealed", type=int, help="file descriptor of the bundle's files")
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _set_name() -> None:
    """Be recognised in `top` and `ps`."""
    try:
        Path("/proc/self/comm").write_text(_NAME, encoding="ascii")
    except OSError:
        return  # not on this system


if __name__ == "__main__":
    sys.exit(main())
