"""A crowd learns at its heads what it will not get, before any of it waits for its start."""

import asyncio
import json
import socket
from contextlib import ExitStack

from starlette.types import Receive, Scope, Send

from tests.service.api.fakes import UpperCaser, app_with, parts_of
from tests.service.server.served import Served
from tests.service.waiting import eventually

NUM_CLIENTS = 12
MAX_REQUESTS = 8
BODY = json.dumps({"q": "hello", "source": "en", "target": "de"}).encode()
REQUEST = (
    b"POST /translate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


class Crowded:
    """An app whose translations wait for their `end`; counts the requests that reach it."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.num_reached = 0
        self.app = app_with(UpperCaser(self._wait), max_requests=MAX_REQUESTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        self.num_reached += 1
        await self.app(scope, receive, send)

    async def _wait(self) -> None:
        await self.end.wait()


def _status(connection: socket.socket) -> bytes:
    return connection.recv(65_536)[9:12]


def test_more_than_fits_is_refused_before_it_waits_for_a_start() -> None:
    crowded = Crowded()
    with Served(crowded.app, crowded) as served, ExitStack() as stack:
        address = ("127.0.0.1", served.port)
        connections = [
            stack.enter_context(socket.create_connection(address, timeout=60))
            for _ in range(NUM_CLIENTS)
        ]
        metrics = parts_of(crowded.app).metrics
        with served.held():  # all of them are ready in one turn, in which two may start
            for connection in connections:
                connection.sendall(REQUEST)
        refused = metrics.rejected.labels(reason="too_many_requests")
        eventually(lambda: refused._value.get() == NUM_CLIENTS - MAX_REQUESTS // 2)
        eventually(lambda: crowded.num_reached == MAX_REQUESTS // 2)
        served.loop.call_soon_threadsafe(crowded.end.set)
        statuses = sorted(map(_status, connections))
        assert crowded.num_reached == MAX_REQUESTS // 2, "the others had no task"
    accepted = MAX_REQUESTS // 2
    assert statuses == [b"200"] * accepted + [b"429"] * (NUM_CLIENTS - accepted)


def test_a_place_is_free_again_when_its_request_is_answered() -> None:
    crowded = Crowded()
    crowded.end.set()
    with Served(crowded.app, crowded) as served:
        address = ("127.0.0.1", served.port)
        for _ in range(2 * MAX_REQUESTS):
            with socket.create_connection(address, timeout=60) as connection:
                connection.sendall(REQUEST)
                assert _status(connection) == b"200"
    limit = parts_of(crowded.app).request_limit
    assert not limit._waiting
    assert not limit._num_waiting
