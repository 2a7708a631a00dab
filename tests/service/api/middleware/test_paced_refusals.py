"""Which replies wait for the pace of their client, and what they hold meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware.paced_refusals import PacedRefusalsMiddleware
from service.api.middleware.request_limit import RequestLimit, RequestLimitMiddleware
from service.api.refusals.pace import PaceLimits, RefusalPace
from service.api.requests.client_scope import CLIENT_NAME, client_name
from service.api.requests.in_flight import InFlight
from service.observability.metrics import Metrics
from service.server.parts import create_file_jobs
from tests.service.api.fakes import UpperCaser, app_with, ask, parts_of

KEYS = "key-of-the-tests-a,key-of-the-tests-b"
INSPECTED = {"q": "hello", "source": "en", "target": "de"}


class Service:
    """An app of one status behind the middleware; one refusal of a client leaves at once."""

    def __init__(self) -> None:
        self.num_inside = 0
        self.in_flight = InFlight(Metrics(), 8)
        self.open = asyncio.Event()
        self.pace = RefusalPace(PaceLimits(max_per_s=1), lambda: 1.0, self._sleep)
        self.app: ASGIApp = self._app
        self._middleware = PacedRefusalsMiddleware(
            self._call, self.pace, self.in_flight, ("/readyz",)
        )

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    async def _sleep(self, _: float) -> None:
        await self.open.wait()

    async def _app(self, scope: Scope, _: Receive, send: Send) -> None:
        self.num_inside += 1
        scope[CLIENT_NAME] = scope["path"].partition(":")[2]
        await send({"type": "http.response.start", "status": scope["status"], "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})
        self.num_inside -= 1

    async def start(self, status: int, path: str = "/translate:a") -> tuple[Any, list[Message]]:
        sent: list[Message] = []

        async def receive() -> Message:
            raise AssertionError("not read")

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": path, "headers": [], "status": status}
        scope["client"] = ("203.0.113.1", 1)
        task = asyncio.create_task(self._middleware(scope, receive, send))
        await asyncio.sleep(0)
        return task, sent


@pytest.mark.parametrize("status", [400, 403, 404, 413, 429, 456, 503])
def test_a_second_refusal_is_held_and_holds_nothing_else(status: int) -> None:
    async def work() -> None:
        service = Service()
        first, at_once = await service.start(status)
        assert first.done()
        assert [m.get("body") for m in at_once] == [None, b"a", b"b"]
        second, later = await service.start(status)
        assert (later, service.pace.num_held, service.num_inside) == ([], 1, 0)
        service.open.set()
        await second
        assert later == at_once

    asyncio.run(work())


@pytest.mark.parametrize(
    ("status", "path"),
    [(200, "/translate:a"), (504, "/translate:a"), (500, "/translate:a"), (429, "/translate:b")],
)
def test_other_replies_and_other_clients_do_not_wait(status: int, path: str) -> None:
    async def work() -> None:
        service = Service()
        await service.start(429)
        held, _ = await service.start(429)
        task, sent = await service.start(status, path)
        assert task.done()
        assert len(sent) == 3
        service.open.set()
        await held

    asyncio.run(work())


def test_a_probe_that_says_no_does_not_wait() -> None:
    async def work() -> None:
        service = Service()
        for _ in range(3):
            task, _ = await service.start(503, "/readyz")
            assert task.done()

    asyncio.run(work())


def test_a_service_that_stops_refuses_at_once() -> None:
    async def work() -> None:
        service = Service()
        service.in_flight.close()
        for _ in range(3):
            task, _ = await service.start(503)
            assert task.done()

    asyncio.run(work())


def test_what_an_address_is_refused_before_its_request_is_read_does_not_wait() -> None:
    async def work() -> None:
        service = Service()
        limit = RequestLimit(2, Metrics(), lambda: 1.0)
        limit.enter("203.0.113.1")
        service.app = RequestLimitMiddleware(service.app, limit)
        for _ in range(3):
            task, sent = await service.start(200)
            assert task.done()
            assert sent[0]["status"] == 429

    asyncio.run(work())


@pytest.mark.parametrize("key", ["", *KEYS.split(",")])
def test_a_client_is_known_by_its_key_else_by_its_address(key: str) -> None:
    app = app_with(UpperCaser(), api_keys=KEYS)
    scopes: list[MutableMapping[str, Any]] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await app(scope, receive, send)

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    assert ask(noting, "POST", "/translate", json={}, headers=headers).status_code == 400
    (scope,) = scopes
    names = [each.id for each in parts_of(app).keys._configured.values()]
    assert client_name(scope) == (names[KEYS.split(",").index(key)] if key else "127.0.0.1")


async def _unread(client: httpx.AsyncClient, path: str, body: bytes, media_type: str) -> bool:
    """Whether a request is refused without its body."""
    is_read = False

    async def parts() -> AsyncIterator[bytes]:
        nonlocal is_read
        is_read = True
        yield body

    reply = await client.post(path, content=parts(), headers={"Content-Type": media_type})
    assert reply.status_code in (429, 503), reply.text
    return not is_read


@pytest.mark.parametrize("path", ["/attention", "/score"])
def test_inspections_of_a_client_that_is_refused_often_are_refused_unread(path: str) -> None:
    app = app_with(UpperCaser(), max_refusals_per_s=1)
    throttle = parts_of(app).throttle
    pair = {"source_text": "hello", "target_text": "HELLO"}
    body = json.dumps({**INSPECTED, "pairs": [pair]}).encode()

    async def inspect(over: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(throttle.turn(None))
            await over.wait()

    async def work() -> None:
        over = asyncio.Event()
        others = [asyncio.create_task(inspect(over)) for _ in range(66)]
        await asyncio.sleep(0)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            assert not await _unread(client, path, body, "application/json")
            # A second, in which further ones are not read, may end at any time.
            found = [await _unread(client, path, body, "application/json") for _ in range(3)]
            assert any(found)
        over.set()
        await asyncio.gather(*others)

    asyncio.run(work())


@pytest.mark.parametrize("path", ["/translate_file", "/v2/document"])
def test_files_of_a_client_that_is_refused_often_are_refused_unread(path: str) -> None:
    app = app_with(UpperCaser(), max_refusals_per_s=1, max_stored_bytes=1)
    parts = parts_of(app)
    app.state.parts = replace(parts, files=create_file_jobs(parts.settings, parts.translator))
    request = httpx.Request(
        "POST",
        "http://127.0.0.1",
        data={"source": "en", "target": "de", "target_lang": "DE"},
        files={"file": ("a.txt", b"hello")},
    )
    body, media_type = request.read(), request.headers["Content-Type"]

    async def work() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            reply = await client.post(path, content=body, headers={"Content-Type": media_type})
            assert reply.status_code == 200, reply.text
            assert not await _unread(client, path, body, media_type)
            assert any([await _unread(client, path, body, media_type) for _ in range(3)])
        await parts_of(app).files.close()

    asyncio.run(work())
