"""What a body may cost: bytes, and time."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from service.api.middleware.body_limit import (
    MAX_UNREAD_BYTES,
    BodyLimitMiddleware,
    BodyLimits,
)
from service.api.middleware.held_bytes import HeldBytes
from service.observability.metrics import Metrics
from tests.service.api.fakes import UpperCaser, app_with, ask, parts_of
from tests.service.scheduling.workers.single_loop import counted

BASE = {"q": "my secret text", "source": "en", "target": "de"}
BODY = json.dumps(BASE).encode()
JSON = {"Content-Type": "application/json"}


def test_body_over_the_limit_is_refused_by_its_declared_length() -> None:
    app = app_with(UpperCaser(), max_body_bytes=100)
    reply = ask(app, "POST", "/translate", json=BASE | {"q": "x" * 100})
    assert reply.status_code == 413
    assert reply.json() == {
        "error": "the body has more than 100 bytes: send it in parts",
        "code": "payload_too_large",
    }


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "9"}])
def test_body_over_the_limit_is_refused_while_it_streams(headers: dict[str, str]) -> None:
    sent = 0

    async def drip() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 10

    app = app_with(UpperCaser(), max_body_bytes=100)
    reply = ask(app, "POST", "/translate", content=drip(), headers=headers)
    assert reply.status_code == 413
    assert sent == 11


def test_body_at_the_limit_passes() -> None:
    app = app_with(UpperCaser(), max_body_bytes=len(BODY), max_bodies_bytes=len(BODY))
    assert ask(app, "POST", "/translate", content=BODY, headers=JSON).status_code == 200


def test_absurd_declared_length_is_413() -> None:
    headers = {"Content-Length": "9" * 5000}
    assert ask(app_with(UpperCaser()), "POST", "/translate", headers=headers).status_code == 413


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/translate", (408, {"error", "code"})),
        ("/attention", (408, {"error", "code"})),
        ("/v2/translate", (503, {"message"})),
    ],
)
def test_body_that_does_not_come_is_given_up(path: str, expected: tuple[int, set[str]]) -> None:
    async def silence() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    app = app_with(UpperCaser(), body_timeout_s=0.01)
    reply = ask(app, "POST", path, content=silence(), headers=JSON)
    assert (reply.status_code, set(reply.json())) == expected
    assert counted(parts_of(app).metrics, "rejected_total", reason="slow_body") == 1


def test_time_for_the_body_is_not_the_time_for_the_translation() -> None:
    async def scenario() -> int:
        over = asyncio.Event()

        async def outlast() -> None:
            asyncio.get_running_loop().call_later(0.05, over.set)
            await over.wait()

        app = app_with(UpperCaser(before=outlast), body_timeout_s=0.01)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return (await client.post("/translate", json=BASE)).status_code

    assert asyncio.run(scenario()) == 200


def test_all_bodies_together_are_bounded_and_room_comes_back() -> None:
    async def scenario() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        started, go_on = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            started.set()
            await go_on.wait()

        app = app_with(UpperCaser(before=wait), max_bodies_bytes=2 * len(BODY) - 1)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

            async def post() -> httpx.Response:
                return await client.post("/translate", content=BODY, headers=JSON)

            first = asyncio.create_task(post())
            await started.wait()
            second = await post()
            go_on.set()
            return await first, second, await post()

    first, second, third = asyncio.run(scenario())
    assert (first.status_code, second.status_code, third.status_code) == (200, 429, 200)
    assert second.json()["code"] == "overloaded"
    assert int(second.headers["Retry-After"]) >= 1


def test_large_bodies_of_one_address_take_turns_with_other_requests() -> None:
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            order.append(scope["client"][0])
        order.append(f"{scope['client'][0]} ends")

    limits = BodyLimits(max_bytes=1 << 20, timeout_s=10.0)
    metrics = Metrics()
    middleware = BodyLimitMiddleware(app, limits, HeldBytes(1 << 24, metrics), metrics)

    async def ask_with(address: str, *sizes: int) -> None:
        bodies = iter(sizes)
        left = len(sizes)

        async def receive() -> Message:  # at once: it has arrived
            nonlocal left
            left -= 1
            body = bytes(next(bodies))
            return {"type": "http.request", "body": body, "more_body": left > 0}

        async def send(_: Message) -> None: ...

        scope = {"type": "http", "path": "/", "headers": [], "client": (address, 1)}
        await middleware(scope, receive, send)

    async def scenario() -> None:
        large = [ask_with("large", *[1 << 16] * 8) for _ in range(4)]
        await asyncio.gather(*large, ask_with("small", 100))

    asyncio.run(scenario())
    assert order.index("small ends") <= 1
    assert order.count("large ends") == 4


@pytest.mark.parametrize("path", ["/livez", "/languages", "/translate", "/nowhere"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_large_body_that_would_not_be_read_is_refused_at_its_head(method: str, path: str) -> None:
    app = app_with(UpperCaser())
    reply = ask(app, method, path, headers={"Content-Length": str(MAX_UNREAD_BYTES + 1)})
    assert reply.status_code == 413
    assert reply.headers["Connection"] == "close"


def test_small_body_of_a_get_is_ignored() -> None:
    app = app_with(UpperCaser())
    assert ask(app, "GET", "/livez", content=b"x" * MAX_UNREAD_BYTES).status_code == 200
