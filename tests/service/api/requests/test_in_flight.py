"""Requests in flight are counted, refused on shutdown, and cancelled when the client leaves."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from service.api.requests.departure import EXTENSION, Departure
from service.api.requests.in_flight import InFlight
from service.observability.metrics import Metrics
from service.scheduling.limits import Client
from tests.service.api.fakes import UpperCaser, app_with, parts_of

CLIENT = Client(name="one")
BASE = b"q=hello&source=en&target=de"


class Pause:
    """Lets a test stop a translation in its middle."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self) -> None:
        self.started.set()
        await self.go_on.wait()


async def _post(app: FastAPI, key: str = "") -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        data = {"q": "hello", "source": "en", "target": "de", "api_key": key}
        return await client.post("/translate", data=data)


def test_closed_gate_finishes_what_is_inside_and_refuses_the_rest() -> None:
    async def scenario() -> None:
        pause = Pause()
        translator = UpperCaser(before=pause)
        app = app_with(translator)
        in_flight = parts_of(app).in_flight
        inside = asyncio.create_task(_post(app))
        await pause.started.wait()
        in_flight.close()
        refused = await _post(app)
        assert (refused.status_code, refused.json()["code"]) == (503, "shutting_down")
        assert not in_flight.is_empty
        pause.go_on.set()
        assert (await inside).status_code == 200
        assert in_flight.is_empty
        assert len(translator.requests) == 1
        page = parts_of(app).metrics.exposition().decode()
        assert 'pellucid_rejected_total{reason="shutting_down"} 1.0' in page

    asyncio.run(scenario())


def test_a_request_is_told_from_several() -> None:
    async def scenario() -> list[bool]:
        pause = Pause()
        app = app_with(UpperCaser(before=pause))
        in_flight = parts_of(app).in_flight
        found, requests = [in_flight.has_several], []
        for _ in range(2):
            pause.started.clear()
            requests.append(asyncio.create_task(_post(app)))
            await pause.started.wait()
            found.append(in_flight.has_several)
        pause.go_on.set()
        await asyncio.gather(*requests)
        return [*found, in_flight.has_several]

    assert asyncio.run(scenario()) == [False, False, True, False]


def test_expelled_work_is_cancelled_and_its_client_is_told() -> None:
    async def scenario() -> None:
        pause = Pause()
        translator = UpperCaser(before=pause)
        app = app_with(translator)
        in_flight = parts_of(app).in_flight
        inside = asyncio.create_task(_post(app))
        await pause.started.wait()
        in_flight.cancel_all()
        reply = await inside
        assert (reply.status_code, reply.json()["code"]) == (503, "shutting_down")
        assert translator.cancelled == 1
        assert in_flight.is_empty

    asyncio.run(scenario())


async def _call(app: FastAPI, receive: Receive) -> list[Message]:
    """Speak ASGI by hand: only so can a client leave at a chosen moment."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/translate",
        "raw_path": b"/translate",
        "query_string": b"",
        "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
        "scheme": "http",
        "server": ("test", 80),
        "client": ("test", 1),
        "root_path": "",
    }
    await app(scope, receive, send)
    return sent


def _client(*messages: Message, before_leaving: Callable[[], Awaitable[object]]) -> Receive:
    """Sends `messages`, and leaves once `before_leaving` is over."""
    waiting = list(messages)

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await before_leaving()
        return {"type": "http.disconnect"}

    return receive


def test_client_that_leaves_cancels_its_work() -> None:
    async def scenario() -> None:
        pause = Pause()
        translator = UpperCaser(before=pause)
        app = app_with(translator)
        body: Message = {"type": "http.request", "body": BASE, "more_body": False}
        sent = await _call(app, _client(body, before_leaving=pause.started.wait))
        await asyncio.sleep(0)  # the cancelled task has its turn
        assert translator.cancelled == 1
        assert parts_of(app).in_flight.is_empty
        assert sent[0]["status"] == 499

    asyncio.run(scenario())


class _Body:
    """What a request has read: megabytes, perhaps."""


def test_what_a_request_has_read_is_freed_when_its_client_leaves() -> None:
    async def work(body: _Body) -> _Body:
        await asyncio.Event().wait()
        return body

    async def scenario() -> bool:
        departure = Departure(lambda: None)
        extensions = {EXTENSION: {"connection": departure}}
        request = Request({"type": "http", "headers": [], "extensions": extensions})
        body = _Body()
        freed = weakref.ref(body)
        running = asyncio.create_task(InFlight(Metrics(), 2).run(request, CLIENT, work(body)))
        del body
        await asyncio.sleep(0)
        departure.announce()
        with contextlib.suppress(ClientDisconnect):
            await running
        del running
        await asyncio.sleep(0)  # while it runs, a step holds the exception that it began with
        return freed() is None

    gc.disable()
    try:
        assert asyncio.run(scenario())
    finally:
        gc.enable()


@pytest.mark.parametrize("first", [b"", b"q=hel"])
def test_client_that_leaves_while_sending_never_reaches_the_model(first: bytes) -> None:
    async def scenario() -> None:
        translator = UpperCaser()
        body: Message = {"type": "http.request", "body": first, "more_body": True}
        client = _client(body, before_leaving=lambda: asyncio.sleep(0))
        sent = await _call(app_with(translator), client)
        assert translator.requests == []
        assert sent[0]["status"] == 499

    asyncio.run(scenario())


def test_a_key_may_have_half_of_what_others_leave_whatever_its_address() -> None:
    async def scenario() -> None:
        pause = Pause()
        keys = ["first-key-of-some-length", "second-key-of-some-length"]
        app = app_with(UpperCaser(before=pause), api_keys=keys, max_requests=100)
        limit = InFlight(parts_of(app).metrics, max_requests=4)
        app.state.parts = replace(parts_of(app), in_flight=limit)
        inside = [asyncio.create_task(_post(app, keys[0])) for _ in range(2)]
        await pause.started.wait()
        refused = await _post(app, keys[0])
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert "2 requests of this client" in refused.json()["error"]
        inside.append(asyncio.create_task(_post(app, keys[1])))
        await asyncio.sleep(0.01)
        pause.go_on.set()
        assert [reply.status_code for reply in await asyncio.gather(*inside)] == [200] * 3
        assert (await _post(app, keys[0])).status_code == 200

    asyncio.run(scenario())
