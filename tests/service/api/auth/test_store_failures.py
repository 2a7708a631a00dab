"""Files and servers of keys that are not there, broken, or another's."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.api.auth.key_store import KeyStore, open_store
from service.errors import KeyStoreError, StartupError
from tests.service.api.auth.demands import (
    MONTH,
    NOW_S,
    demand,
    reserved,
)
from tests.service.api.auth.redis_server import hanging_server, needs_redis, redis_server
from tests.service.api.auth.stores import KEY, with_store


def test_only_the_owner_can_access_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    with_store(lambda: open_store(str(path)), lambda store: store.put(KEY))
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
            await reserved(store, demand(1))
        assert await store.keys() == []  # and it goes on

    with_store(lambda: open_store(str(path)), work)


@pytest.mark.parametrize("address", ["redis://h:port/0", "redis://:secret@[::1/0"])
def test_bad_address_of_redis_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(StartupError, match="--key-store: not a Redis address") as caught:
        open_store(address)
    assert "secret" not in str(caught.value)


def test_redis_that_is_not_there_is_an_error_of_the_store(tmp_path: Path) -> None:
    async def work(store: KeyStore) -> None:
        with pytest.raises(KeyStoreError):
            await store.find(KEY.digest)

    with_store(lambda: open_store(f"unix://{tmp_path}/none.sock"), work)


def test_redis_that_hangs_is_an_error_of_the_store(tmp_path: Path) -> None:
    async def work(store: KeyStore) -> None:
        with pytest.raises(KeyStoreError):
            await reserved(store, demand(1))

    listener, address = hanging_server(tmp_path)
    with closing(listener):
        with_store(lambda: open_store(address), work)


@needs_redis
def test_redis_that_comes_back_is_used_again(tmp_path: Path) -> None:
    async def work(store: KeyStore) -> None:
        with redis_server(tmp_path):
            assert await reserved(store, demand(1)) == ("granted", 0)
        with pytest.raises(KeyStoreError):
            await store.num_chars("a", MONTH, NOW_S)
        with redis_server(tmp_path):
            assert await store.num_chars("a", MONTH, NOW_S) == 0

    with_store(lambda: open_store(f"unix://{tmp_path}/redis.sock"), work)
