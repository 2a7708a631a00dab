"""Stores of API keys and their usage: in memory, in a file, or in Redis."""

from pathlib import Path
from typing import Protocol

from service.api.auth.key import ApiKey
from service.errors import StartupError

_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


class KeyStore(Protocol):
    """Stores keys and usage; for one event loop. A KeyStoreError means that nothing changed."""

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

    async def charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
        """Add characters unless that exceeds `limit`; atomic across replicas.

        Args:
            key_id: Id of the key.
            month: As in `2026-11`.
            num_chars: Characters to add.
            limit: Maximum of the month; None: no limit.

        Returns:
            The count before. If it and `num_chars` exceed `limit`, nothing was added.
        """

    async def refund(self, key_id: str, month: str, num_chars: int) -> None:
        """Subtract characters that were charged."""

    async def num_chars(self, key_id: str, month: str) -> int:
        """Characters counted in a month."""

    async def close(self) -> None:
        """Close file and connections."""


def open_store(address: str) -> KeyStore:
    """The store at a Redis address, or in the file of that name.

    Raises:
        StartupError: It cannot be opened. Redis is contacted only when first used.
    """
    if address.startswith(_REDIS_SCHEMES):
        return _open_redis(address)
    from service.api.auth.sqlite_store import SqliteStore

    return SqliteStore(Path(address))


def _open_redis(address: str) -> KeyStore:
    try:
        from service.api.auth.redis_store import RedisStore
    except ModuleNotFoundError as error:
        raise StartupError(
            f"--key-store: Redis needs {error.name}, which the runtime leaves out: "
            "pip install 'pellucid[redis]'"
        ) from error
    try:
        return RedisStore(address)
    except ValueError as error:  # the message names the fault, not the password
        raise StartupError(f"--key-store: not a Redis address: {error}") from error


class MemoryStore:
    """Keys and usage in memory; lost with the process, never fails."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._requests: dict[str, tuple[int, int]] = {}
        self._chars: dict[str, tuple[str, int]] = {}
        """By key, for the latest month only."""

    async def put(self, key: ApiKey) -> None:
        """Store a key, replacing its earlier state."""
        self._keys[key.digest] = key

    async def find(self, digest: str) -> ApiKey | None:
        """The key with this digest, valid or not."""
        return self._keys.get(digest)

    async def keys(self) -> list[ApiKey]:
        """All keys, oldest first."""
        return sorted(self._keys.values(), key=lambda key: key.created)

    async def count_request(self, key_id: str, minute: int) -> int:
        """Count a request; returns the requests of that minute, this one included."""
        last, count = self._requests.get(key_id, (minute, 0))
        count = count + 1 if last == minute else 1
        self._requests[key_id] = minute, count
        return count

    async def charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
        """Add characters unless that exceeds `limit`; returns the count before."""
        used = await self.num_chars(key_id, month)
        if limit is None or used + num_chars <= limit:
            self._chars[key_id] = month, used + num_chars
        return used

    async def refund(self, key_id: str, month: str, num_chars: int) -> None:
        """Subtract characters that were charged."""
        used = await self.num_chars(key_id, month)
        if used:
            self._chars[key_id] = month, max(0, used - num_chars)

    async def num_chars(self, key_id: str, month: str) -> int:
        """Characters counted in a month."""
        last, used = self._chars.get(key_id, (month, 0))
        return used if last == month else 0

    async def close(self) -> None:
        """Nothing to close."""
