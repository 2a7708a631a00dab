"""Where keys and what was used of them are kept: in memory, in a file, or in Redis."""

from pathlib import Path
from typing import Protocol

from service.api.auth.key import Key
from service.errors import StartupError

_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


class KeyStore(Protocol):
    """Used from one event loop; every method may raise KeyStoreError, and then did nothing."""

    async def put(self, key: Key) -> None:
        """Write a key down, in the place of an earlier state of it."""

    async def find(self, digest: str) -> Key | None:
        """A key, whether it is valid or not."""

    async def keys(self) -> list[Key]:
        """All keys, the oldest first."""

    async def count_request(self, key_id: str, minute: int) -> int:
        """Requests with a key in a minute, this one among them; earlier minutes are forgotten."""

    async def charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
        """Count characters, unless there would be more than `limit`: one step for all replicas.

        Args:
            key_id: Which key.
            month: As in `2026-11`.
            num_chars: To count.
            limit: Of the month; None: without.

        Returns:
            What was counted before. The new characters are not, if they do not fit on top of it.
        """

    async def refund(self, key_id: str, month: str, num_chars: int) -> None:
        """Take back what was charged."""

    async def num_chars(self, key_id: str, month: str) -> int:
        """Characters counted in a month."""

    async def close(self) -> None:
        """Let go of file and connections."""


def open_store(address: str) -> KeyStore:
    """The store at an address of Redis, or in the file of that name.

    Raises:
        StartupError: It cannot be opened. Whether Redis answers is seen only when it is asked.
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
        raise StartupError(f"--key-store: no address of Redis: {error}") from error


class MemoryStore:
    """A KeyStore that nothing can go wrong with."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._requests: dict[str, tuple[int, int]] = {}
        self._chars: dict[str, tuple[str, int]] = {}
        """Of the latest month alone: nobody asks for earlier ones."""

    async def put(self, key: Key) -> None:
        """Write a key down, in the place of an earlier state of it."""
        self._keys[key.digest] = key

    async def find(self, digest: str) -> Key | None:
        """A key, whether it is valid or not."""
        return self._keys.get(digest)

    async def keys(self) -> list[Key]:
        """All keys, the oldest first."""
        return sorted(self._keys.values(), key=lambda key: key.created)

    async def count_request(self, key_id: str, minute: int) -> int:
        """Requests with a key in a minute, this one among them."""
        last, count = self._requests.get(key_id, (minute, 0))
        count = count + 1 if last == minute else 1
        self._requests[key_id] = minute, count
        return count

    async def charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
        """Count characters, unless there would be more than `limit`; what was there before."""
        used = await self.num_chars(key_id, month)
        if limit is None or used + num_chars <= limit:
            self._chars[key_id] = month, used + num_chars
        return used

    async def refund(self, key_id: str, month: str, num_chars: int) -> None:
        """Take back what was charged."""
        used = await self.num_chars(key_id, month)
        if used:
            self._chars[key_id] = month, max(0, used - num_chars)

    async def num_chars(self, key_id: str, month: str) -> int:
        """Characters counted in a month."""
        last, used = self._chars.get(key_id, (month, 0))
        return used if last == month else 0

    async def close(self) -> None:
        """Nothing is held."""
