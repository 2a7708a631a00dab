"""Stores of each kind, each of them real."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.api.auth.key_store import open_store
from service.api.auth.memory_store import MemoryStore
from tests.service.api.auth.redis_server import needs_redis, redis_server
from tests.service.api.auth.stores import Open


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
