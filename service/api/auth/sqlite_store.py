"""Keys and usage in a file: for one machine, also for several processes on it."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from service.api.auth.key import KEY_JSON, Key
from service.errors import KeyStoreError, StartupError

_VERSION = 1
_BUSY_S = 2.0
"""How long another process may write before we give up."""
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
    """A KeyStore whose every change is in the file before the request that made it goes on.

    One thread works on the file, in the order in which it was asked. A commit reaches the operating
    system at once and the disk a little later: it outlives the process, however that ends, but a
    failure of power may take the last ones along.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            StartupError: It cannot be written, or is something else.
        """
        self._file = _open(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keys")

    async def put(self, key: Key) -> None:
        """Write a key down, in the place of an earlier state of it."""
        row = key.digest, KEY_JSON.dump_json(key).decode()
        await self._run(self._file.execute, "INSERT OR REPLACE INTO keys VALUES (?, ?)", row)

    async def find(self, digest: str) -> Key | None:
        """A key, whether it is valid or not."""
        query = "SELECT document FROM keys WHERE digest = ?"
        document = await self._run(self._value, query, digest)
        return None if document is None else KEY_JSON.validate_json(document)

    async def keys(self) -> list[Key]:
        """All keys, the oldest first."""
        rows = await self._run(self._rows, "SELECT document FROM keys")
        return sorted((KEY_JSON.validate_json(row[0]) for row in rows), key=lambda k: k.created)

    async def count_request(self, key_id: str, minute: int) -> int:
        """Requests with a key in a minute, this one among them."""
        return await self._run(self._count_request, key_id, minute)

    async def charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
        """Count characters, unless there would be more than `limit`; what was there before."""
        return await self._run(self._charge, key_id, month, num_chars, limit)

    async def refund(self, key_id: str, month: str, num_chars: int) -> None:
        """Take back what was charged."""
        await self._run(
            self._file.execute,
            "UPDATE usage SET num_chars = max(0, num_chars - ?) WHERE key_id = ? AND month = ?",
            (num_chars, key_id, month),
        )

    async def num_chars(self, key_id: str, month: str) -> int:
        """Characters counted in a month."""
        return await self._run(self._num_chars, key_id, month)

    async def close(self) -> None:
        """Finish what was begun, and close the file."""
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
        """Ends where the connection's own `with` ends; no other process writes in between."""
        self._file.execute("BEGIN IMMEDIATE")
        return self._file

    def _value(self, query: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever is stored
        row = self._file.execute(query, arguments).fetchone()
        return None if row is None else row[0]

    def _rows(self, query: str) -> list[Any]:
        return self._file.execute(query).fetchall()


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.touch(mode=0o600)  # who can write there can let himself in
        # Opened here, used in the one thread of the store.
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
    file.execute("PRAGMA journal_mode = WAL")  # who reads never waits for who writes
    file.execute("PRAGMA synchronous = NORMAL")
    (version,) = file.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        raise StartupError(
            f"--key-store: {path} was written by a later version of Pellucid: "
            "use that one, or another file"
        )
    file.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
