"""`POST /translate` with `stream`: events in order, and what goes wrong among them."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Message

from service.api.auth.api_keys import ApiKeys
from service.api.auth.charge import Charge
from service.api.native.event_stream import Event, event_stream
from service.api.requests.in_flight import InFlight
from service.errors import DeadlineExceededError, ShuttingDownError
from service.observability.metrics import Metrics
from service.scheduling.limits import Client
from service.translation.text_thread import TextThread
from tests.service.api.fakes import UpperCaser, app_with, ask, parts_of

BASE = {"q": ["hello", "world"], "source": "en", "target": "de", "stream": True}
Received = tuple[str, dict[str, Any]]


def _events(text: str) -> list[Received]:
    blocks = [block.split("\n") for block in text.removesuffix("\n\n").split("\n\n")]
    return [(x.removeprefix("event: "), json.loads(y.removeprefix("data: "))) for x, y in blocks]


def test_parts_come_in_order_and_then_done() -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=BASE)
    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert _events(reply.text) == [
        ("part", {"index": 0, "text": "HELLO"}),
        ("part", {"index": 1, "text": "WORLD"}),
        ("done", {}),
    ]


def test_details_come_with_their_part() -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=BASE | {"details": True})
    (_, first), *_ = _events(reply.text)
    assert first["details"][0]["finish_reason"] == "stop"
    assert first["details"][0]["confidence"] == 0.75
    assert first["details"][0]["words"][0]["doubt"]


def test_wrong_key_is_no_stream() -> None:
    reply = ask(
        app_with(UpperCaser(), api_keys="key-of-the-tests"), "POST", "/translate", json=BASE
    )
    assert (reply.status_code, reply.json()["code"]) == (400, "key_required")


def test_failure_before_the_first_part_is_an_ordinary_one() -> None:
    async def fail() -> None:
        raise DeadlineExceededError("not finished within 1 s")

    reply = ask(app_with(UpperCaser(before=fail)), "POST", "/translate", json=BASE)
    assert (reply.status_code, reply.json()["code"]) == (504, "deadline_exceeded")


def test_closed_gate_lets_no_stream_in() -> None:
    app = app_with(UpperCaser())
    parts_of(app).in_flight.close()
    reply = ask(app, "POST", "/translate", json=BASE)
    assert (reply.status_code, reply.json()["code"]) == (503, "shutting_down")


@pytest.mark.parametrize(
    ("error", "code"),
    [(ShuttingDownError("later"), "shutting_down"), (ZeroDivisionError(), "internal")],
)
def test_failure_among_the_parts_is_the_last_event(error: Exception, code: str) -> None:
    class FailsLater(UpperCaser):
        async def _begin(self, request: Any) -> None:  # noqa: ANN401 - as inherited
            if self.requests:
                raise error
            await super()._begin(request)

    reply = ask(app_with(FailsLater()), "POST", "/translate", json=BASE)
    (first, _), (last, content) = _events(reply.text)
    assert (first, last, content["code"]) == ("part", "error", code)


def test_parts_before_a_failure_count_for_the_key() -> None:
    class FailsLater(UpperCaser):
        async def _begin(self, request: Any) -> None:  # noqa: ANN401 - as inherited
            if self.requests:
                raise ShuttingDownError("later")
            await super()._begin(request)

    app = app_with(FailsLater(), api_keys="key-of-the-tests")
    key = {"Authorization": "Bearer key-of-the-tests"}
    ask(app, "POST", "/translate", json=BASE, headers=key)
    assert ask(app, "GET", "/v2/usage", headers=key).json()["character_count"] == len("hello")


async def _charge() -> Charge:
    account = await ApiKeys(Metrics()).account(Request({"type": "http", "headers": []}))
    return await account.reserve(0)


class _Client:
    """Asks for a stream and never reads it; leaves when told to."""

    def __init__(self) -> None:
        self.has_left = asyncio.Event()
        self.request = Request({"type": "http"}, self._receive)

    async def _receive(self) -> Message:
        await self.has_left.wait()
        return {"type": "http.disconnect"}


def test_slow_client_holds_the_work_up_and_leaving_ends_it() -> None:
    made = 0
    has_ended = asyncio.Event()

    async def events() -> AsyncGenerator[Event, None]:
        nonlocal made
        try:
            while True:
                made += 1
                yield Event(name="part", content={}, num_chars=0)
        finally:
            has_ended.set()

    async def scenario() -> None:
        client, in_flight = _Client(), InFlight(Metrics(), max_requests=8)
        response = await event_stream(
            client.request, Client(), in_flight, events(), await _charge(), thread=TextThread()
        )
        assert isinstance(response, StreamingResponse)
        for _ in range(100):
            await asyncio.sleep(0)
        assert made < 30
        assert not in_flight.is_empty
        client.has_left.set()
        await has_ended.wait()

    asyncio.run(asyncio.wait_for(scenario(), 10))
