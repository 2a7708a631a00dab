"""Clients that mean no good, and what they have cost: raw sockets, to this machine only."""

import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select
from urllib.parse import urlsplit

from tests.service.server_process import ServerProcess

PATIENCE_S = 30.0
_RESERVED_FILES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a process holds at one moment."""

    rss_bytes: int
    num_files: int
    num_threads: int

    @classmethod
    def of(cls, server: ServerProcess) -> "Cost":
        process = Path("/proc") / str(server.process.pid)
        lines = (process / "status").read_text(encoding="ascii").splitlines()
        status = {name: value.split() for name, _, value in (x.partition(":") for x in lines)}
        return cls(
            rss_bytes=int(status["VmRSS"][0]) * 1024,
            num_files=len([*(process / "fd").iterdir()]),
            num_threads=int(status["Threads"][0]),
        )


def connect(server: ServerProcess, *, receive_bytes: int | None = None) -> socket.socket:
    """A connection; `receive_bytes` is the size of its buffer, the system's own if None."""
    address = urlsplit(server.url)
    assert address.hostname is not None
    connection = socket.socket()
    connection.settimeout(PATIENCE_S)
    if receive_bytes is not None:  # before it connects: the window is announced then
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.connect((address.hostname, address.port))
    return connection


def ask(server: ServerProcess, request: bytes) -> bytes:
    """Send `request` and read until the server closes the connection."""
    with connect(server) as connection:
        connection.sendall(request)
        return read_to_end(connection)


def read_to_end(connection: socket.socket) -> bytes:
    """All that comes until the other side closes, or breaks off."""
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
    except ConnectionResetError:
        pass
    return received


def drip(connection: socket.socket, payload: bytes, every_s: float = 0.02) -> bytes:
    """Send byte by byte until an answer of JSON comes back; returns that."""
    answer = b""
    for byte in payload:
        readable, _, _ = select([connection], [], [], every_s)
        while readable and not answer.endswith(b"}"):
            answer += connection.recv(65_536)
        if answer:
            return answer
        connection.sendall(bytes([byte]))
    raise AssertionError("the server let it all pass")


def allowed_connections(wanted: int) -> int:
    """How many connections this machine lets the test open, at most `wanted`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - _RESERVED_FILES)
    if allowed < wanted:
        print(f"{allowed} connections instead of {wanted}: the limit of open files is {hard}")
    return allowed


@contextmanager
def many_connections(
    server: ServerProcess, count: int, payloads: tuple[bytes, ...]
) -> Iterator[Iterator[socket.socket]]:
    """Connections that are opened as they are asked for, stay open, and each begin a request.

    Args:
        server: To which.
        count: How many.
        payloads: What they send before they fall silent, in turn.
    """
    opened: list[socket.socket] = []

    def open_all() -> Iterator[socket.socket]:
        for number in range(count):
            opened.append(connect(server))
            opened[-1].sendall(payloads[number % len(payloads)])
            yield opened[-1]

    try:
        yield open_all()
    finally:
        for connection in opened:
            connection.close()
