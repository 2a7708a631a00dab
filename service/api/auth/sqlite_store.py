"""Keys and usage in an SQLite file, for one or several processes on one machine."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from service.api.auth.glossary_record import (
    GlossaryHead,
    GlossaryRecord,
    GlossaryRoom,
    PutOutcome,
)
from service.api.auth.glossary_record import (
    refusal as refusal_of_glossary,
)
from service.api.auth.key import API_KEY_JSON, ApiKey
from service.api.auth.reservation import (
    MAX_REMEMBERED,
    Delivery,
    Demand,
    Granted,
    Reservation,
    begin,
    current,
    deliver,
    refusal,
)
from service.errors import KeyStoreError
from service.sqlite_file import check_version, log_ahead, open_prepared

_FLAG = "--key-store"
_VERSION = 1
_MAX_SWEPT = 100
"""Reservations that one request expires or forgets; the next one goes on."""
_SCHEMA = """\
CREATE TABLE IF NOT EXISTS keys (digest TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage (
    key_id TEXT, month TEXT, num_chars INTEGER NOT NULL, PRIMARY KEY (key_id, month)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (
    key_id TEXT PRIMARY KEY, minute INTEGER NOT NULL, num_requests INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reservations (
    key_id TEXT, id TEXT, attempt TEXT NOT NULL, month TEXT NOT NULL, fingerprint TEXT NOT NULL,
    held INTEGER NOT NULL, delivered INTEGER NOT NULL, is_open INTEGER NOT NULL,
    ends_s REAL NOT NULL, lifetime_s REAL NOT NULL, remembered_s REAL NOT NULL,
    PRIMARY KEY (key_id, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS glossaries (
    owner TEXT, id TEXT, revision TEXT NOT NULL, name TEXT NOT NULL, size_bytes INTEGER NOT NULL,
    description TEXT NOT NULL, content TEXT NOT NULL, PRIMARY KEY (owner, id)
);
CREATE INDEX IF NOT EXISTS reservation_ends ON reservations (key_id, ends_s);
"""
_NAMES = tuple(field.name for field in fields(Reservation))
"""Columns of a reservation after `key_id` and `id`, in their order."""
_STORE = "INSERT OR REPLACE INTO reservations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_FIND = "SELECT * FROM reservations WHERE key_id = ? AND id = ?"
_SWEPT = "SELECT * FROM reservations WHERE key_id = ? AND ends_s <= ? LIMIT ?"
_NUM_CHARS = """\
SELECT coalesce((SELECT num_chars FROM usage WHERE key_id = ?1 AND month = ?2), 0) - coalesce((
    SELECT sum(held) FROM reservations WHERE key_id = ?1 AND month = ?2 AND is_open AND ends_s <= ?3
), 0)
"""
_FORGET = """\
DELETE FROM reservations WHERE key_id = ?1 AND id IN (
    SELECT id FROM reservations WHERE key_id = ?1 AND NOT is_open ORDER BY ends_s LIMIT max(0, (
        SELECT count(*) FROM reservations WHERE key_id = ?1
    ) - ?2)
)
"""

_GLOSSARY = """\
SELECT id, revision, name, size_bytes, description, content FROM glossaries
WHERE owner = ? AND id = ?
"""
_HEADS = "SELECT id, revision, name, size_bytes, description FROM glossaries WHERE owner = ?"

T = TypeVar("T")


class SqliteStore:
    """Keys and usage in a file; every change is committed before its request goes on.

    One thread accesses the file, in the order of the calls. A commit survives the end of the
    process, but the last ones may be lost in a power failure (`synchronous = NORMAL`).
    """

    is_instant = False

    def __init__(self, path: Path, timeout_s: float) -> None:
        """Open the file, or create it.

        Args:
            path: The file.
            timeout_s: Time to wait for another process that is writing.

        Raises:
            StartupError: It cannot be written, or is not such a store.
        """
        self._file = _open(path, timeout_s)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keys")
        self._is_abandoned = threading.Event()
        """Whether the caller of what the thread does has gone; the thread alone replaces it."""

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

    async def reserve(self, demand: Demand, now_s: float) -> Granted:
        """Hold the characters of an attempt, unless that exceeds its limit."""
        return await self._run(self._reserve, demand, now_s)

    async def deliver(self, delivery: Delivery, now_s: float) -> None:
        """Count what an attempt has delivered; no-op without its reservation."""
        await self._run(self._deliver, delivery, now_s)

    async def num_chars(self, key_id: str, month: str, now_s: float) -> int:
        """Characters counted in a month."""
        return int(await self._run(self._value, _NUM_CHARS, key_id, month, now_s))

    async def put_glossary(
        self, owner: str, record: GlossaryRecord, room: GlossaryRoom, replaces: str | None
    ) -> PutOutcome:
        """Store a glossary, unless that exceeds the room of its owner."""
        return await self._run(self._put_glossary, owner, record, room, replaces)

    async def glossary(self, owner: str, glossary_id: str) -> GlossaryRecord | None:
        """A glossary of an owner."""
        rows = await self._run(self._rows, _GLOSSARY, owner, glossary_id)
        return next((GlossaryRecord(head=_head(r[:-1]), content=r[-1]) for r in rows), None)

    async def glossary_heads(self, owner: str) -> list[GlossaryHead]:
        """All glossaries of an owner."""
        return [_head(row) for row in await self._run(self._rows, _HEADS, owner)]

    async def remove_glossary(self, owner: str, glossary_id: str) -> bool:
        """Remove a glossary of an owner; False if there is none."""
        return await self._run(self._remove_glossary, owner, glossary_id)

    async def close(self) -> None:
        """Finish pending calls and close the file."""
        await asyncio.to_thread(self._thread.shutdown)
        self._file.close()

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        is_abandoned = threading.Event()
        try:
            return await loop.run_in_executor(
                self._thread, self._call, is_abandoned, work, *arguments
            )
        except sqlite3.Error as error:
            raise KeyStoreError from error
        finally:  # a call that has not begun is cancelled with its future
            is_abandoned.set()

    def _call(self, is_abandoned: threading.Event, work: Callable[..., T], *arguments: object) -> T:
        self._is_abandoned = is_abandoned
        return work(*arguments)

    def _count_request(self, key_id: str, minute: int) -> int:
        with self._transaction():
            query = "SELECT num_requests FROM requests WHERE key_id = ? AND minute = ?"
            count = int(self._value(query, key_id, minute) or 0) + 1
            self._file.execute(
                "INSERT OR REPLACE INTO requests VALUES (?, ?, ?)", (key_id, minute, count)
            )
        return count

    def _reserve(self, demand: Demand, now_s: float) -> Granted:
        with self._transaction():
            self._sweep(demand.key_id, now_s)
            stored = self._reservation(demand.key_id, demand.id, now_s)
            after = begin(stored, demand, now_s)
            used = self._num_chars(demand.key_id, after.month)
            if refused := refusal(stored, demand):
                return Granted(outcome=refused, used=used)
            if stored is None or not stored.is_open:  # else this attempt holds it already
                if after.held and demand.limit is not None and used + after.held > demand.limit:
                    return Granted(outcome="over_limit", used=used)
                self._store(demand.key_id, demand.id, after, after.held)
        return Granted(outcome="granted", used=used)

    def _deliver(self, delivery: Delivery, now_s: float) -> None:
        with self._transaction():
            stored = self._reservation(delivery.key_id, delivery.id, now_s)
            if stored is None:
                return
            after, change = deliver(stored, delivery, now_s)
            if after.is_open or after.remembered_s:
                self._store(delivery.key_id, delivery.id, after, change)
            else:
                self._drop(delivery.key_id, delivery.id)
                self._add(delivery.key_id, after.month, change)
            if not after.is_open and after.remembered_s:
                self._file.execute(_FORGET, (delivery.key_id, MAX_REMEMBERED))

    def _sweep(self, key_id: str, now_s: float) -> None:
        for row in self._rows(_SWEPT, key_id, now_s, _MAX_SWEPT):
            self._bring_up_to_date(row, now_s)

    def _reservation(self, key_id: str, own_id: str, now_s: float) -> Reservation | None:
        row = self._file.execute(_FIND, (key_id, own_id)).fetchone()
        return None if row is None else self._bring_up_to_date(row, now_s)

    def _bring_up_to_date(self, row: Iterable[Any], now_s: float) -> Reservation | None:
        """The reservation of a row, expired or forgotten if its time is over."""
        key_id, own_id, *values = row
        stored = Reservation(**dict(zip(_NAMES, values, strict=True)))
        if now_s < stored.ends_s:
            return stored
        left, change = current(stored, now_s)
        if left is None:
            self._drop(key_id, own_id)
            self._add(key_id, stored.month, change)
        else:
            self._store(key_id, own_id, left, change)
        return left

    def _store(self, key_id: str, own_id: str, reservation: Reservation, change: int) -> None:
        self._file.execute(_STORE, (key_id, own_id, *astuple(reservation)))
        self._add(key_id, reservation.month, change)

    def _drop(self, key_id: str, own_id: str) -> None:
        self._file.execute("DELETE FROM reservations WHERE key_id = ? AND id = ?", (key_id, own_id))

    def _add(self, key_id: str, month: str, change: int) -> None:
        if change:
            row = key_id, month, max(0, self._num_chars(key_id, month) + change)
            self._file.execute("INSERT OR REPLACE INTO usage VALUES (?, ?, ?)", row)

    def _num_chars(self, key_id: str, month: str) -> int:
        query = "SELECT num_chars FROM usage WHERE key_id = ? AND month = ?"
        return int(self._value(query, key_id, month) or 0)

    def _put_glossary(
        self, owner: str, record: GlossaryRecord, room: GlossaryRoom, replaces: str | None
    ) -> PutOutcome:
        head = record.head
        with self._transaction():
            query = "SELECT revision FROM glossaries WHERE owner = ? AND id = ?"
            if self._value(query, owner, head.id) != replaces:
                return "changed"
            sizes = self._rows("SELECT id, size_bytes FROM glossaries WHERE owner = ?", owner)
            if refused := refusal_of_glossary(sizes, record, room):
                return refused
            self._file.execute(
                "INSERT OR REPLACE INTO glossaries VALUES (?, ?, ?, ?, ?, ?, ?)",
                (owner, *astuple(head), record.content),
            )
        return "stored"

    def _remove_glossary(self, owner: str, glossary_id: str) -> bool:
        with self._transaction():
            query = "DELETE FROM glossaries WHERE owner = ? AND id = ?"
            return self._file.execute(query, (owner, glossary_id)).rowcount > 0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A write transaction, rolled back if its caller has gone."""
        with self._file:
            self._file.execute("BEGIN IMMEDIATE")
            yield
            if self._is_abandoned.is_set():
                raise sqlite3.OperationalError("abandoned")

    def _value(self, query: str, *arguments: object) -> Any:  # noqa: ANN401 - any column type
        row = self._file.execute(query, arguments).fetchone()
        return None if row is None else row[0]

    def _rows(self, query: str, *arguments: object) -> list[Any]:
        return self._file.execute(query, arguments).fetchall()


def _head(row: Iterable[Any]) -> GlossaryHead:
    names = (field.name for field in fields(GlossaryHead))
    return GlossaryHead(**dict(zip(names, row, strict=True)))


def _open(path: Path, timeout_s: float) -> sqlite3.Connection:
    prepare = partial(_prepare, path=path, timeout_s=timeout_s)
    return open_prepared(path, timeout_s, prepare, flag=_FLAG)


def _prepare(file: sqlite3.Connection, path: Path, timeout_s: float) -> None:
    log_ahead(file, timeout_s)
    (version,) = file.execute("PRAGMA user_version").fetchone()
    check_version(version, _VERSION, path, flag=_FLAG)
    file.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
