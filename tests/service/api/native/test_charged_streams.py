"""A stream pays for the parts that were handed to its connection, and for nothing else."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.types import Message

from service.api.auth.account import StoreTimes
from service.api.auth.api_keys import ApiKeys
from service.api.auth.key import ApiKey, digest_of
from service.api.auth.key_store import KeyStore, open_store
from service.api.auth.memory_store import MemoryStore
from service.errors import KeyStoreError
from service.observability.metrics import Metrics
from tests.service.api.auth.redis_server import needs_redis, redis_server
from tests.service.api.fakes import UpperCaser, app_with, parts_of

SECRET = "key-of-the-tests"
KEY = ApiKey(digest=digest_of(SECRET), name="a", created=datetime(2026, 1, 1, tzinfo=UTC))
NUM_STREAMS = 1_000
AT_ONCE = 20


@pytest.fixture(params=["memory", "file", pytest.param("redis", marks=needs_redis)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | None]:
    """Of a store; None: in memory."""
    if request.param == "redis":
        with redis_server(tmp_path) as address:
            yield address
    else:
        yield str(tmp_path / "keys.db") if request.param == "file" else None


class _Client:
    """Streams some texts and hangs up after some parts; records what its connection was given."""

    def __init__(self, texts: list[str], num_parts: int) -> None:
        self.status = 0
        self.events = b""
        self._body = json.dumps({"q": texts, "source": "en", "target": "de", "stream": True})
        self._parts_left = num_parts
        self._is_full = num_parts % 2 == 1
        self._has_asked = False
        self._has_left = asyncio.Event()

    @property
    def parts(self) -> list[str]:
        """Translations that it was given."""
        events = (event.split(b"\ndata: ") for event in self.events.split(b"\n\n")[:-1])
        return [json.loads(data)["text"] for name, data in events if name == b"event: part"]

    @property
    def is_done(self) -> bool:
        return b"event: done" in self.events

    async def ask(self, app: FastAPI) -> None:
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {SECRET}",
        }
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/translate",
            "raw_path": b"/translate",
            "query_string": b"",
            "root_path": "",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
            "client": ("192.0.2.1", 1),
            "server": ("test", 80),
        }
        await app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if not self._has_asked:
            self._has_asked = True
            return {"type": "http.request", "body": self._body.encode()}
        await self._has_left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.events += message.get("body", b"")
        self._parts_left -= message.get("body", b"").startswith(b"event: part")
        if self._parts_left < 0:
            self._has_left.set()
            if self._is_full:  # its connection takes no more until it is given up
                await asyncio.Event().wait()
        if self._parts_left % 3 == 0:  # some are slow to take it
            await asyncio.sleep(0)


def _app(store: KeyStore, translator: UpperCaser | None = None) -> FastAPI:
    app = app_with(translator or UpperCaser())
    keys = ApiKeys(Metrics(), store=store, times=StoreTimes(timeout_s=60.0))
    app.state.parts = replace(parts_of(app), keys=keys)
    return app


@asynccontextmanager
async def _opened(address: str | None) -> AsyncIterator[KeyStore]:
    store = MemoryStore() if address is None else open_store(address, timeout_s=60.0)
    try:
        yield store
    finally:
        await store.close()


async def _num_chars(store: KeyStore) -> int:
    now = datetime.now(UTC)
    return await store.num_chars(KEY.id, f"{now:%Y-%m}", now.timestamp())


def test_a_thousand_broken_streams_pay_to_the_character(address: str | None) -> None:
    draw = random.Random(19)

    def client() -> _Client:
        texts = ["x" * draw.randint(1, 40) for _ in range(draw.randint(1, 12))]
        return _Client(texts, draw.randint(0, 13))

    async def scenario() -> None:
        clients = [client() for _ in range(NUM_STREAMS)]
        async with _opened(address) as store:
            await store.put(KEY)
            app = _app(store)
            for first in range(0, NUM_STREAMS, AT_ONCE):
                await asyncio.gather(*(each.ask(app) for each in clients[first : first + AT_ONCE]))
            used = await _num_chars(store)
        assert {each.status for each in clients} == {200}
        assert 0.2 < sum(each.is_done for each in clients) / NUM_STREAMS < 0.9
        assert used == sum(len(text) for each in clients for text in each.parts)

    asyncio.run(scenario())


def test_quota_ends_streams_that_are_hung_up(address: str | None) -> None:
    async def scenario() -> None:
        texts = ["x" * 43] * 65
        clients = [_Client(texts, 60) for _ in range(12)]
        async with _opened(address) as store:
            await store.put(replace(KEY, monthly_chars=20_000))
            app = _app(store)
            for client in clients:
                await client.ask(app)
            used = await _num_chars(store)
        assert clients[-1].status == 429
        assert 20_000 - 65 * 43 < used <= 20_000
        assert used == sum(len(text) for each in clients for text in each.parts)

    asyncio.run(scenario())


def test_store_that_fails_among_the_parts_ends_the_stream() -> None:
    class FailsLater(MemoryStore):
        is_instant = False

        async def deliver(self, *_: object) -> None:
            raise KeyStoreError

    async def scenario() -> None:
        store = FailsLater()
        await store.put(KEY)
        client = _Client(["one", "two", "three"], 9)
        await client.ask(_app(store))
        assert client.parts == ["ONE"]
        assert b'"key_store_failed"' in client.events

    asyncio.run(scenario())


def test_stream_that_does_not_begin_costs_nothing() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async def scenario() -> None:
        store = MemoryStore()
        await store.put(KEY)
        client = _Client(["one"], 9)
        await client.ask(_app(store, UpperCaser(before=fail)))
        assert client.status == 500
        assert await _num_chars(store) == 0

    asyncio.run(scenario())
