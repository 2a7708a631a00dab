import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send

from service.api.dialects import plain
from service.api.dialects.google import cloud, web
from service.api.middleware.request_limit import (
    TRANSLATING_GETS,
    RequestLimit,
    RequestLimitMiddleware,
)
from service.observability.metrics import Metrics


class Held:
    """An app whose requests end when `open` is set."""

    def __init__(self) -> None:
        self.num_inside = 0
        self.open = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body", False):
            pass
        self.num_inside += 1
        await self.open.wait()
        self.num_inside -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


class Service:
    """`Held` behind the middleware."""

    def __init__(self, max_requests: int) -> None:
        self.metrics = Metrics()
        self.app = Held()
        self.now_s = 0.0
        self.num_read = 0
        self.limit = RequestLimit(max_requests, self.metrics, lambda: self.now_s)
        self.middleware = RequestLimitMiddleware(self.app, self.limit)

    async def ask(
        self,
        address: str,
        method: str = "POST",
        path: str = "/translate",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> list[Any]:
        sent: list[Any] = []

        async def receive() -> Message:
            self.num_read += 1
            return {"type": "http.request", "body": b"{}"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": headers,
            "client": (address, 1),
        }
        await self.middleware(scope, receive, send)
        return sent

    @asynccontextmanager
    async def inside(self, address: str, count: int) -> AsyncIterator[None]:
        """While `count` requests are in progress."""
        before = self.app.num_inside
        tasks = [asyncio.create_task(self.ask(address)) for _ in range(count)]
        await asyncio.sleep(0)  # each runs until it waits
        assert self.app.num_inside == before + count
        yield
        self.app.open.set()
        await asyncio.gather(*tasks)


def refusal(sent: list[Any]) -> tuple[int, dict[str, str], Any]:
    start, body = sent
    headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, json.loads(body["body"])


def test_one_address_may_have_half() -> None:
    async def work() -> None:
        service = Service(max_requests=8)
        async with service.inside("a", 4):
            status, headers, content = refusal(await service.ask("a"))
            assert (status, content["code"]) == (429, "overloaded")
            assert content["error"].startswith("Slowdown: 4 requests")
            assert int(headers["retry-after"]) >= 1
            assert service.num_read == 4, "a refused request is not read"
        refused = service.metrics.rejected.labels(reason="too_many_requests")
        assert refused._value.get() == 1

    asyncio.run(work())


def test_another_address_is_still_accepted() -> None:
    async def work() -> None:
        service = Service(max_requests=8)
        async with AsyncExitStack() as held:
            await held.enter_async_context(service.inside("a", 4))
            await held.enter_async_context(service.inside("b", 2))
            await held.enter_async_context(service.inside("c", 1))
            assert refusal(await service.ask("b"))[0] == 429
            assert service.app.num_inside == 7

    asyncio.run(work())


def test_finished_requests_no_longer_count() -> None:
    async def work() -> None:
        service = Service(max_requests=2)
        for _ in range(3):
            async with service.inside("a", 1):
                assert refusal(await service.ask("a"))[0] == 429
            service.app.open.clear()
        assert not service.limit._by_address

    asyncio.run(work())


def test_pages_and_probes_are_not_limited() -> None:
    async def work() -> None:
        service = Service(max_requests=2)
        async with service.inside("a", 1):
            service.app.open.set()
            sent = await service.ask("a", method="GET", path="/readyz")
            assert sent[0]["status"] == 200

    asyncio.run(work())


@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        (((b"content-length", b"9"),), True),
        (((b"transfer-encoding", b"chunked"),), True),
        (((b"content-length", b"0"),), False),
    ],
)
def test_a_body_counts_whatever_the_method(
    headers: tuple[tuple[bytes, bytes], ...], is_refused: bool
) -> None:
    async def work() -> None:
        service = Service(max_requests=2)
        async with service.inside("a", 1):
            service.app.open.set()
            sent = await service.ask("a", "GET", "/v2/languages", headers)
            assert (sent[0]["status"] == 429) is is_refused

    asyncio.run(work())


@pytest.mark.parametrize("path", sorted(TRANSLATING_GETS))
def test_a_get_that_translates_counts(path: str) -> None:
    async def work() -> None:
        service = Service(max_requests=2)
        async with service.inside("a", 1):
            service.app.open.set()
            assert (await service.ask("a", "GET", path))[0]["status"] == 429

    asyncio.run(work())


def test_every_route_that_translates_by_get_counts() -> None:
    def is_wanted(route: BaseRoute) -> bool:
        methods = route.methods if isinstance(route, APIRoute) else None
        return "GET" in (methods or ()) and "translate" in getattr(route, "name", "")

    google = ((web.router, "/google"), (web.router, ""), (cloud.router, "/google"))
    named = {
        prefix + route.path
        for router, prefix in ((plain.router, ""), *google)
        for route in router.routes
        if isinstance(route, APIRoute)
        and "GET" in (route.methods or ())
        and "translate" in route.name
    }
    assert named == TRANSLATING_GETS


def test_deepl_clients_are_told_in_their_dialect() -> None:
    async def work() -> None:
        service = Service(max_requests=2)
        async with service.inside("a", 1):
            status, _, content = refusal(await service.ask("a", path="/v2/translate"))
            assert status in (429, 503)
            assert isinstance(content["message"], str)

    asyncio.run(work())


def test_the_wait_is_what_others_took() -> None:
    async def work() -> None:
        service = Service(max_requests=8)
        service.app.open.set()
        for _ in range(20):  # two a second
            service.now_s += 0.5
            await service.ask("a")
        service.app.open.clear()
        async with service.inside("a", 4):
            _, headers, _ = refusal(await service.ask("a"))
            assert headers["retry-after"] == "2"

    asyncio.run(work())


def test_incomplete_request_does_not_count() -> None:
    async def work() -> None:
        service = Service(max_requests=2)
        rest = asyncio.Event()

        async def receive() -> Message:
            if rest.is_set():
                return {"type": "http.request", "body": b"}"}
            rest.set()
            await asyncio.sleep(0.01)
            return {"type": "http.request", "body": b"{", "more_body": True}

        async def send(_message: Message) -> None:
            pass

        scope = {"type": "http", "method": "POST", "path": "/translate", "headers": ()}
        slow = asyncio.create_task(service.middleware(scope, receive, send))
        await asyncio.sleep(0)
        service.app.open.set()
        sent = await service.ask("a")
        assert sent[0]["status"] == 200
        await slow

    asyncio.run(work())
