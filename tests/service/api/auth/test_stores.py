"""What all stores of keys must do alike, each of them real."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service.api.auth.key import ApiKey, digest_of
from service.api.auth.key_store import KeyStore, MemoryStore, open_store
from service.errors import KeyStoreError, StartupError
from tests.service.api.auth.redis_server import hanging_server, needs_redis, redis_server

CREATED = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
KEY = ApiKey(
    digest=digest_of("k"),
    name="Ωmega's key",
    created=CREATED,
    expires=CREATED + timedelta(days=3),
    monthly_chars=1000,
    requests_per_minute=3,
    weight=0.5,
    max_queued_jobs=7,
)
PLAIN = ApiKey(digest=digest_of("plain"), name="plain", created=CREATED - timedelta(days=1))
Open = Callable[[], KeyStore]
Work = Callable[[KeyStore], Coroutine[None, None, Any]]


@pytest.fixture(params=["memory", "file", pytest.param("redis", marks=needs_redis)])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same store each time; memory only once."""
    if request.param == "redis":
        with redis_server(tmp_path) as address:
            yield lambda: open_store(address)
    elif request.param == "file":
        yield lambda: open_store(str(tmp_path / "keys.db"))
    else:
        memory = MemoryStore()
        yield lambda: memory


@pytest.fixture(params=["file", pytest.param("redis", marks=needs_redis)])
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    if request.param == "redis":
        with redis_server(tmp_path) as address:
            yield lambda: open_store(address)
    else:
        yield lambda: open_store(str(tmp_path / "keys.db"))


def _with(opening: Open, work: Work) -> Any:  # noqa: ANN401 - whatever the work gives
    async def worked() -> Any:  # noqa: ANN401
        store = opening()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(worked())


def test_key_comes_back_as_it_was_put(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        await store.put(KEY)
        await store.put(PLAIN)
        assert await store.find(KEY.digest) == KEY
        assert await store.find(PLAIN.digest) == PLAIN
        assert await store.find(digest_of("another")) is None
        assert await store.keys() == [PLAIN, KEY]

    _with(opening, work)


def test_later_state_replaces_the_earlier(opening: Open) -> None:
    revoked = replace(KEY, revoked=CREATED)

    async def work(store: KeyStore) -> None:
        await store.put(KEY)
        await store.put(revoked)
        assert await store.keys() == [revoked]

    _with(opening, work)


def test_requests_count_by_minute_and_key(opening: Open) -> None:
    async def work(store: KeyStore) -> list[int]:
        asked = [("a", 7), ("a", 7), ("b", 7), ("a", 8), ("a", 8)]
        return [await store.count_request(*each) for each in asked]

    assert _with(opening, work) == [1, 2, 1, 1, 2]


def test_charge_counts_up_to_the_limit_and_says_what_was_there(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        assert await store.charge("a", "2026-01", 6, 10) == 0
        assert await store.charge("a", "2026-01", 5, 10) == 6  # does not fit
        assert await store.num_chars("a", "2026-01") == 6
        assert await store.charge("a", "2026-01", 4, 10) == 6
        assert await store.charge("a", "2026-01", 1, 10) == 10
        assert await store.num_chars("a", "2026-01") == 10
        assert await store.num_chars("b", "2026-01") == 0

    _with(opening, work)


def test_first_charge_over_the_limit_counts_nothing(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        assert await store.charge("a", "2026-01", 11, 10) == 0
        assert await store.num_chars("a", "2026-01") == 0

    _with(opening, work)


def test_without_a_limit_large_numbers_stay_exact(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        await store.charge("a", "2026-01", 10**14, None)
        assert await store.charge("a", "2026-01", 1, None) == 10**14
        assert await store.num_chars("a", "2026-01") == 10**14 + 1

    _with(opening, work)


def test_refund_takes_back_but_never_below_nothing(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        await store.refund("a", "2026-01", 5)
        assert await store.num_chars("a", "2026-01") == 0
        await store.charge("a", "2026-01", 8, None)
        await store.refund("a", "2026-01", 5)
        assert await store.num_chars("a", "2026-01") == 3
        await store.refund("a", "2026-01", 5)
        assert await store.num_chars("a", "2026-01") == 0

    _with(opening, work)


def test_new_month_begins_at_nothing(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        await store.charge("a", "2026-01", 10, 10)
        assert await store.charge("a", "2026-02", 10, 10) == 0
        assert await store.num_chars("a", "2026-02") == 10

    _with(opening, work)


def test_everything_outlasts_the_process(lasting: Open) -> None:
    async def write(store: KeyStore) -> None:
        await store.put(KEY)
        await store.charge("a", "2026-01", 6, None)

    async def read(store: KeyStore) -> tuple[list[ApiKey], int]:
        return await store.keys(), await store.num_chars("a", "2026-01")

    _with(lasting, write)
    assert _with(lasting, read) == ([KEY], 6)


def test_two_replicas_never_charge_more_than_the_limit(lasting: Open) -> None:
    async def work(first: KeyStore) -> int:
        second = lasting()
        try:
            stores = [first, second] * 50
            before = await asyncio.gather(*(s.charge("a", "2026-01", 3, 100) for s in stores))
            assert sum(used + 3 <= 100 for used in before) == 33
            return await second.num_chars("a", "2026-01")
        finally:
            await second.close()

    assert _with(lasting, work) == 99


def test_what_one_replica_revokes_the_other_knows_at_once(lasting: Open) -> None:
    async def work(first: KeyStore) -> None:
        second = lasting()
        try:
            await first.put(KEY)
            assert await second.find(KEY.digest) == KEY
            await first.put(replace(KEY, revoked=CREATED))
            found = await second.find(KEY.digest)
            assert found is not None
            assert found.revoked == CREATED
        finally:
            await second.close()

    _with(lasting, work)


def test_file_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    _with(lambda: open_store(str(path)), lambda store: store.put(KEY))
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"no data base at all, but long enough to be read as one"])
def test_another_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.db"
    path.write_bytes(content)
    with pytest.raises(StartupError, match="cannot be used: file is not a database"):
        open_store(str(path))
    assert path.read_bytes() == content


def test_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(StartupError, match="later version"):
        open_store(str(path))


def test_file_without_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"--key-store: .* cannot be used"):
        open_store(str(tmp_path / "none" / "keys.db"))


def test_broken_file_is_an_error_of_the_store(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"

    async def work(store: KeyStore) -> None:
        with closing(sqlite3.connect(path)) as file:
            file.execute("DROP TABLE usage")
        with pytest.raises(KeyStoreError):
            await store.charge("a", "2026-01", 1, None)
        assert await store.keys() == []  # and it goes on

    _with(lambda: open_store(str(path)), work)


@pytest.mark.parametrize("address", ["redis://h:port/0", "redis://:secret@[::1/0"])
def test_bad_address_of_redis_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(StartupError, match="--key-store: not a Redis address") as caught:
        open_store(address)
    assert "secret" not in str(caught.value)


def test_redis_that_is_not_there_is_an_error_of_the_store(tmp_path: Path) -> None:
    async def work(store: KeyStore) -> None:
        with pytest.raises(KeyStoreError):
            await store.find(KEY.digest)

    _with(lambda: open_store(f"unix://{tmp_path}/none.sock"), work)


def test_redis_that_hangs_is_an_error_of_the_store(tmp_path: Path) -> None:
    async def work(store: KeyStore) -> None:
        with pytest.raises(KeyStoreError):
            await store.charge("a", "2026-01", 1, None)

    listener, address = hanging_server(tmp_path)
    with closing(listener):
        _with(lambda: open_store(address), work)


@needs_redis
def test_redis_that_comes_back_is_used_again(tmp_path: Path) -> None:
    async def work(store: KeyStore) -> None:
        with redis_server(tmp_path):
            assert await store.charge("a", "2026-01", 1, None) == 0
        with pytest.raises(KeyStoreError):
            await store.num_chars("a", "2026-01")
        with redis_server(tmp_path):
            assert await store.num_chars("a", "2026-01") == 0

    _with(lambda: open_store(f"unix://{tmp_path}/redis.sock"), work)
