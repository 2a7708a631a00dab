"""Redis as it is really started: a process of its own, without a file, behind a socket."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(
    PROGRAM is None, reason="needs redis-server: apt-get install redis-server"
)


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Its address; ended when left."""
    assert PROGRAM is not None
    path = folder / "redis.sock"
    given = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(
        [PROGRAM, *given, "--dir", str(folder)], stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "ready to accept connections" in line.lower():
                    break
            yield f"unix://{path}"
        finally:
            process.kill()


def hanging_server(folder: Path) -> tuple[socket.socket, str]:
    """One that accepts connections and never answers, and its address."""
    path = folder / "hanging.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener, f"unix://{path}"
