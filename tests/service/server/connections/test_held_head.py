"""Head and body of a reply leave together."""

import asyncio
from typing import cast

import pytest

from service.server.connections.held_head import HeldHead

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Transport:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


@pytest.fixture
def transport() -> Transport:
    return Transport()


def _held(transport: Transport) -> HeldHead:
    return HeldHead(cast(asyncio.Transport, transport))


def test_head_leaves_with_the_body(transport: Transport) -> None:
    held = _held(transport)
    held.write(HEAD)
    assert transport.written == []
    held.write(b"ok")
    assert transport.written == [HEAD + b"ok"]


def test_only_the_first_head_is_held(transport: Transport) -> None:
    held = _held(transport)
    held.write(HEAD)
    held.write(b"")
    held.write(HEAD)  # a body that looks like one
    assert transport.written == [HEAD, HEAD]


def test_invitation_to_send_a_body_leaves_at_once(transport: Transport) -> None:
    held = _held(transport)
    held.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    held.write(HEAD)
    held.write(b"ok")
    assert transport.written == [b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + b"ok"]


def test_closing_writes_what_is_held(transport: Transport) -> None:
    held = _held(transport)
    held.write(HEAD)
    assert not held.is_closing()
    held.close()
    assert transport.written == [HEAD]
    assert held.is_closing()
