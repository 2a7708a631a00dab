"""Keys and usage in an SQLite file, for one or several processes on one machine."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from service.api.auth.key import API_KEY_JSON, ApiKey
from service.errors import KeyStoreError, StartupError

_VERSION = 1
_BUSY_S = 2.0
"""Time to wait for another process that is writing."""
_SCHEMA = """\
CREATE TABLE IF NOT EXISTS keys (digest TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage (
    key_id TEXT, month TEXT, num_chars INTEGER NOT NULL, PRIMARY KEY (key_id, month)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (
    key_id TEXT PRIMARY KEY, minute INTEGER NOT NULL, num_requests INTEGER NOT NULL
) WITHOUT ROWID;
"""

T = TypeVar("T")


class SqliteStore:
    """Keys and usage in a file; every change is committed before its request goes on.

    One thread accesses the file, in the order of the calls. A commit survives the end of the
    process, but the last ones may be lost in a power failure (`synchronous = NORMAL`).
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or create it.

        Raises:
            StartupError: It cannot be written, or is not such a store.
        """
        self._file = _open(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keys")

    async def put(self, key: ApiKey) -> None:
        """Store a key, replacing its earlier state."""
        row = key.digest, API_KEY_JSON.dump_json(key).decode()
        await self._run(self._file.execute, "INSERT OR REPLACE INTO keys VALUES (?, ?)", row)

    async def find(self, digest: str) -> ApiKey | None:
        """The key with this digest, valid or not."""
        query = "SELECT document FROM keys WHERE digest = ?"
        document = await self._run(self._value, query, digest)
        return None if document is None else API_KEY_JSON.validate_json(document)

    async def keys(self) -> list[ApiKey]:
        """All keys, oldest first."""
        rows = await self._run(self._rows, "SELECT document FROM keys")
        return sorted((API_KEY_JSON.validate_json(row[0]) for row in rows), key=lambda k: k.created)

    async def count_request(self, key_id: str, minute: int) -> int:
        """Count a request; returns the requests of that minute, this one included."""
        return await self._run(self._count_request, key_id, minute)

    async def charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
        """Add characters unless that exceeds `limit`; returns the count before."""
        return await self._run(self._charge, key_id, month, num_chars, limit)

    async def refund(self, key_id: str, month: str, num_chars: int) -> None:
        """Subtract characters that were charged."""
        await self._run(
            self._file.execute,
            "UPDATE usage SET num_chars = max(0, num_chars - ?) WHERE key_id = ? AND month = ?",
            (num_chars, key_id, month),
        )

    async def num_chars(self, key_id: str, month: str) -> int:
        """Characters counted in a month."""
        return await self._run(self._num_chars, key_id, month)

    async def close(self) -> None:
        """Finish pending calls and close the file."""
        await asyncio.to_thread(self._thread.shutdown)
        self._file.close()

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, work, *arguments)
        except sqlite3.Error as error:
            raise KeyStoreError from error

    def _count_request(self, key_id: str, minute: int) -> int:
        with self._transaction():
            query = "SELECT num_requests FROM requests WHERE key_id = ? AND minute = ?"
            count = int(self._value(query, key_id, minute) or 0) + 1
            self._file.execute(
                "INSERT OR REPLACE INTO requests VALUES (?, ?, ?)", (key_id, minute, count)
            )
        return count

    def _charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
        with self._transaction():
            used = self._num_chars(key_id, month)
            if limit is None or used + num_chars <= limit:
                row = key_id, month, used + num_chars
                self._file.execute("INSERT OR REPLACE INTO usage VALUES (?, ?, ?)", row)
        return used

    def _num_chars(self, key_id: str, month: str) -> int:
        query = "SELECT num_chars FROM usage WHERE key_id = ? AND month = ?"
        return int(self._value(query, key_id, month) or 0)

    def _transaction(self) -> sqlite3.Connection:
        """Begin a write transaction; the connection's own `with` ends it."""
        self._file.execute("BEGIN IMMEDIATE")
        return self._file

    def _value(self, query: str, *arguments: object) -> Any:  # noqa: ANN401 - any column type
        row = self._file.execute(query, arguments).fetchone()
        return None if row is None else row[0]

    def _rows(self, query: str) -> list[Any]:
        return self._file.execute(query).fetchall()


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.touch(mode=0o600)  # write access would allow adding keys
        # Opened here, but used only in the thread of the store.
        file = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(file, path)
        except BaseException:
            file.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise StartupError(f"--key-store: {path} cannot be used: {error}") from error
    return file


def _prepare(file: sqlite3.Connection, path: Path) -> None:
    file.execute("PRAGMA journal_mode = WAL")  # readers do not wait for a writer
    file.execute("PRAGMA synchronous = NORMAL")
    (version,) = file.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        raise StartupError(
            f"--key-store: {path} was written by a later version of Pellucid: "
            "use that one, or another file"
        )
    file.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
