"""How long the first line and the headers of a request may be, to a real server."""

import socket
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest

from tests.service.server_process import ServerProcess, serving
from tests.service.tiny_models import tiny_bundle

CANARY = tiny_bundle().manifest.canary
PAIR = f"source={CANARY.pair.source}&target={CANARY.pair.target}"
PIECE_BYTES = 1_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("head"), "--workers", "1") as process:
        yield process


def _status(server: ServerProcess, head: bytes) -> int:
    """Send `head` piece by piece, as a network delivers it, for as long as it is read."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for start in range(0, len(head), PIECE_BYTES):
                connection.sendall(head[start : start + PIECE_BYTES])
        except (BrokenPipeError, ConnectionResetError):
            pass  # it had enough: what it answered is there all the same
        return int(connection.recv(64).split(b" ", 2)[1])


def test_text_in_the_address_may_be_long(server: ServerProcess) -> None:
    # What deep-translator sends: up to 5,000 characters, here of three bytes, each of those three.
    text = quote("€" * 5_000)
    line = f"POST /translate?q={text}&{PAIR} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    assert len(line) > 45_000
    assert _status(server, line.encode()) == 200


def test_head_that_does_not_end_is_refused(server: ServerProcess) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 1_000_000
    assert _status(server, head) == 431
