"""A store that is locked or hangs costs requests with a key a moment, and others nothing."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from service.api.auth.key import ApiKey, digest_of
from service.api.auth.key_store import answer_within, open_store
from service.errors import KeyStoreError
from tests.service.api.auth.demands import MONTH, NOW_S, demand, reserved
from tests.service.api.auth.redis_server import hanging_server
from tests.service.api.auth.stores import PLAIN
from tests.service.api.fakes import UpperCaser, app_with, parts_of

SECRET = "key-of-the-tests"
KEY = ApiKey(digest=digest_of(SECRET), name="a", created=PLAIN.created, requests_per_minute=10**9)
BASE = {"q": "hello", "source": "en", "target": "de", "api_key": SECRET}
NUM_REQUESTS = 40
"""One after another they would wait for 40 times the time-out, or for 80 s as they once did."""
PATIENCE_S = 15


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Another process is writing, and does not come to an end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def _put(path: Path, key: ApiKey = KEY) -> None:
    store = open_store(str(path))
    await store.put(key)
    await store.close()


@pytest.fixture(params=["file", "redis"])
def unavailable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FastAPI]:
    """An app whose store does not answer any more."""
    if request.param == "redis":
        listener, address = hanging_server(tmp_path)
        with closing(listener):
            yield _app(address)
        return
    path = tmp_path / "keys.db"
    asyncio.run(_put(path))
    app = _app(str(path))
    with _locked(path):
        yield app


@asynccontextmanager
async def _client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await parts_of(app).keys.close()


def _app(address: str) -> FastAPI:
    return app_with(UpperCaser(), key_store=address, key_store_timeout_s=0.5)


def test_requests_that_come_together_are_refused_together(unavailable: FastAPI) -> None:
    async def scenario() -> None:
        async with _client(unavailable) as client:
            asked = [client.post("/translate", json=BASE) for _ in range(NUM_REQUESTS)]
            replies = await asyncio.wait_for(asyncio.gather(*asked), PATIENCE_S)
        codes = {(reply.status_code, reply.json()["code"]) for reply in replies}
        assert codes == {(503, "key_store_failed")}

    asyncio.run(scenario())


def test_requests_without_a_key_are_answered_meanwhile(unavailable: FastAPI) -> None:
    async def scenario() -> None:
        async with _client(unavailable) as client:
            await client.get("/openapi.json")  # described once, which takes a while
            waiting = asyncio.create_task(client.post("/translate", json=BASE))
            for path in ("/livez", "/health", "/models", "/openapi.json"):
                assert (await client.get(path)).status_code == 200
            assert not waiting.done()
            assert (await waiting).status_code == 503

    asyncio.run(scenario())


def test_store_has_no_more_time_than_its_request(tmp_path: Path) -> None:
    listener, address = hanging_server(tmp_path)

    async def scenario() -> None:
        app = app_with(UpperCaser(), key_store=address, key_store_timeout_s=3600)
        async with _client(app) as client:
            reply = await client.post("/translate", json=BASE | {"deadline_ms": 100})
            assert (reply.status_code, reply.json()["code"]) == (503, "key_store_failed")

    with closing(listener):
        asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_reservation_has_no_more_time_than_its_request(tmp_path: Path) -> None:
    """Where the key is in the head, which says nothing of the time."""
    path = tmp_path / "keys.db"
    headers = {"Authorization": f"Bearer {SECRET}"}

    async def scenario() -> None:
        await _put(path, replace(KEY, requests_per_minute=None))  # to find it needs no lock
        app = app_with(UpperCaser(), key_store=str(path), key_store_timeout_s=3600)
        async with _client(app) as client:
            with _locked(path):
                asked = BASE | {"deadline_ms": 100}
                reply = await client.post("/translate", json=asked, headers=headers)
            assert (reply.status_code, reply.json()["code"]) == (503, "key_store_failed")

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_file_that_is_free_again_is_used_at_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"

    async def scenario() -> None:
        app = _app(str(path))
        await _put(path)
        async with _client(app) as client:
            with _locked(path):
                assert (await client.post("/translate", json=BASE)).status_code == 503
            assert (await client.post("/translate", json=BASE)).status_code == 200

    asyncio.run(scenario())


def test_call_that_was_given_up_changes_nothing(tmp_path: Path) -> None:
    """Neither one that waits for the lock, nor those behind it."""
    path = tmp_path / "keys.db"

    async def scenario() -> None:
        store = open_store(str(path), timeout_s=60.0)
        asked = [demand(1) for _ in range(3)]
        with _locked(path):
            calls = [answer_within(0.2, store.reserve(each, NOW_S)) for each in asked]
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(each) for each in found] == [KeyStoreError] * 3
        assert await reserved(store, demand(1)) == ("granted", 0)
        assert await store.num_chars("a", MONTH, NOW_S) == 1
        await store.close()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_store_uses_no_thread_but_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        before = {*threading.enumerate()}
        store = open_store(str(tmp_path / "keys.db"))
        await asyncio.gather(*(reserved(store, demand(1)) for _ in range(50)))
        names = [thread.name for thread in {*threading.enumerate()} - before]
        assert [name for name in names if name.startswith(("keys", "asyncio"))] == ["keys_0"]
        await store.close()

    asyncio.run(scenario())
