"""Stores of API keys and their usage: the interface, and how an address is opened."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol, TypeVar

from service.api.auth.glossary_record import GlossaryHead, GlossaryRecord, GlossaryRoom, PutOutcome
from service.api.auth.key import ApiKey
from service.api.auth.reservation import Delivery, Demand, Granted
from service.errors import KeyStoreError, StartupError

DEFAULT_TIMEOUT_S = 2.0
"""Of commands, which have no setting for it."""
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")

T = TypeVar("T")


class KeyStore(Protocol):
    """Stores keys and usage; for one event loop. After a KeyStoreError nothing has changed.

    The usage of a month includes what is held by reservations that have not expired. Every change
    is atomic across processes. A call that is cancelled changes nothing, if it can be prevented.
    """

    is_instant: bool
    """Whether a call never waits, so that nothing can come between."""

    async def put(self, key: ApiKey) -> None:
        """Store a key, replacing its earlier state."""

    async def find(self, digest: str) -> ApiKey | None:
        """The key with this digest, valid or not."""

    async def keys(self) -> list[ApiKey]:
        """All keys, oldest first."""

    async def count_request(self, key_id: str, minute: int) -> int:
        """Count a request; returns the requests of that minute, this one included.

        Only the latest minute of a key is kept.
        """

    async def reserve(self, demand: Demand, now_s: float) -> Granted:
        """Hold the characters of an attempt, unless that exceeds its limit.

        Args:
            demand: What is asked for; repeating it with the same attempt holds nothing more.
            now_s: Seconds since the epoch; expires reservations of this key.
        """

    async def deliver(self, delivery: Delivery, now_s: float) -> None:
        """Count what an attempt has delivered; no-op without its reservation."""

    async def num_chars(self, key_id: str, month: str, now_s: float) -> int:
        """Characters counted in a month, without reservations that have expired."""

    async def put_glossary(
        self, owner: str, record: GlossaryRecord, room: GlossaryRoom, replaces: str | None
    ) -> PutOutcome:
        """Store a glossary, unless that exceeds the room of its owner.

        Args:
            owner: Id of a key; empty: of all.
            record: The glossary, in its new state.
            room: For all glossaries of the owner.
            replaces: The revision it is made from; None: it is new.
        """

    async def glossary(self, owner: str, glossary_id: str) -> GlossaryRecord | None:
        """A glossary of an owner."""

    async def glossary_heads(self, owner: str) -> list[GlossaryHead]:
        """All glossaries of an owner, in any order."""

    async def remove_glossary(self, owner: str, glossary_id: str) -> bool:
        """Remove a glossary of an owner; False if there is none."""

    async def close(self) -> None:
        """Close file and connections."""


def open_store(
    address: str, *, timeout_s: float = DEFAULT_TIMEOUT_S, may_create: bool = True
) -> KeyStore:
    """The store at a Redis address, or in the file of that name.

    Args:
        address: Of Redis, or a path.
        timeout_s: Time to wait for locks of a file, and for Redis.
        may_create: Whether a file that does not exist is created.

    Raises:
        StartupError: It cannot be opened. Redis is contacted only when first used.
    """
    if address.startswith(_REDIS_SCHEMES):
        return _open_redis(address, timeout_s)
    from service.api.auth.sqlite_store import SqliteStore

    path = Path(address)
    if not may_create and not path.exists():
        raise StartupError(
            f"--key-store: {path} does not exist: `pellucid keys add NAME` creates it"
        )
    return SqliteStore(path, timeout_s)


def _open_redis(address: str, timeout_s: float) -> KeyStore:
    try:
        from service.api.auth.redis_store import RedisStore
    except ModuleNotFoundError as error:
        raise StartupError(
            f"--key-store: Redis needs {error.name}, which the runtime leaves out: "
            "in a checkout, pip install '.[redis]'"
        ) from error
    try:
        return RedisStore(address, timeout_s)
    except ValueError as error:  # the message names the fault, not the password
        raise StartupError(f"--key-store: not a Redis address: {error}") from error


async def answer_within(timeout_s: float, asked: Awaitable[T]) -> T:
    """The answer of a store, which is given up after a time.

    Raises:
        KeyStoreError: It did not come in time, or the store failed.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await asked
    except TimeoutError as error:
        raise KeyStoreError from error
