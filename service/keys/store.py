"""Where keys and what was used of them are kept: in memory, in a file, or in Redis."""

from pathlib import Path
from typing import Protocol

from service.errors import StartupError
from service.keys.key import Key

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
    from service.keys.sqlite_store import SqliteStore

    return SqliteStore(Path(address))


def _open_redis(address: str) -> KeyStore:
    try:
        from service.keys.redis_store import RedisStore
    except ModuleNotFoundError as error:
        raise StartupError(
            f"--key-store: Redis needs {error.name}, which the runtime leaves out: "
            "pip install 'pellucid[redis]'"
        ) from error
    try:
        return RedisStore(address)
    except ValueError as error:  # the message names the fault, not the password
        raise StartupError(f"--key-store: no address of Redis: {error}") from error
