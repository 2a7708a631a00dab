"""The translation memory as its clients write it: stored, exported and removed beside the loop."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from service.errors import BadFileError, MemoryFailedError, StorageError
from service.translation.memory.memory_file import MemoryFile, Stored
from service.translation.memory.tmx import (
    PIECE_BYTES,
    TMX_END,
    Skipped,
    TmxParser,
    tmx_head,
    tmx_unit,
)
from service.translation.memory.unit import Space, Unit

MAX_IMPORTED_UNITS = 20_000
_UNITS_OF_A_STEP = 100
_UNITS_OF_A_PAGE = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMemoryLimits:
    """How much clients may store."""

    max_units: int
    """Units of an owner; beyond it, the least recently used are removed."""
    max_bytes: int
    """Size of the memory's file; beyond it, nothing is stored."""
    max_share: float = 0.5
    """What a key may have of the bytes that the others leave."""
    max_imported: int = MAX_IMPORTED_UNITS
    """Units of one TMX; a larger one is sent in parts."""
    timeout_s: float = 5.0
    """Time to wait for other processes that write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of the units of a file."""

    stored: Stored = field(default_factory=Stored)
    skipped: Skipped = field(default_factory=Skipped)


class ClientMemory:
    """Writes what clients send; used from one event loop.

    A thread works in steps of some milliseconds, in turn for all requests. After each step its
    request rests as long, because most of a step holds the interpreter's lock. A request that is
    cancelled ends with its step.
    """

    def __init__(self, path: Path, limits: ClientMemoryLimits) -> None:
        """Opens the file.

        Args:
            path: The file, which may be open elsewhere as well.
            limits: How much is stored.

        Raises:
            StartupError: It cannot be used.
        """
        self._limits = limits
        self._file = MemoryFile(path, limits.timeout_s, limits.max_bytes)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="client-memory")

    @property
    def max_units(self) -> int:
        """Most units of an owner."""
        return self._limits.max_units

    def close(self) -> None:
        """Closes the file; steps that have not begun are cancelled."""
        self._thread.shutdown(cancel_futures=True)
        self._file.close()

    async def spaces(self, owner: str) -> list[tuple[Space, int]]:
        """The spaces of an owner that have units, with the number of units.

        Raises:
            MemoryFailedError: The file does not answer.
        """
        return await self._step(partial(self._file.spaces, owner))

    async def add(self, space: Space, units: Sequence[Unit]) -> Stored:
        """Stores units, some at a time; a source has one translation, the latest.

        Raises:
            MemoryShareError: The key would have too much of the file.
            StorageError: The file has no room.
            MemoryFailedError: The file does not answer.
        """
        stored = Stored()
        for begin in range(0, len(units), _UNITS_OF_A_STEP):
            part = units[begin : begin + _UNITS_OF_A_STEP]
            stored += await self._step(partial(self._put, space, part))
        return stored

    async def import_tmx(
        self, space: Space, name: str, data: bytes, languages: tuple[str, str]
    ) -> Imported:
        """Stores the units of a TMX; a broken file changes nothing.

        Args:
            space: Where they are stored.
            name: Of the file.
            data: The file.
            languages: Codes of source and target, for the languages of the file.

        Raises:
            BadFileError: It is no TMX, has too many units, or none.
            MemoryShareError: The key would have too much of the memory.
            StorageError: The memory has no room.
            MemoryFailedError: The memory does not answer.
        """
        skipped = Skipped()
        units = await self._parsed(TmxParser(name, *languages, skipped), data)
        if not units:
            raise BadFileError(f"{name} has no sentences from {languages[0]} to {languages[1]}")
        return Imported(stored=await self.add(space, units), skipped=skipped)

    async def export_tmx(self, space: Space) -> AsyncIterator[str]:
        """The lines of a TMX with all units of a space, oldest first.

        Raises:
            MemoryFailedError: The file does not answer.
        """
        yield tmx_head(space.source)
        after = 0
        while page := await self._page(space, after):
            yield "".join(tmx_unit(unit, space.source, space.target) for _, unit in page)
            after = page[-1][0]
        yield TMX_END

    async def clear(self, space: Space) -> int:
        """Removes all units of a space; returns their number.

        Raises:
            MemoryFailedError: The file does not answer.
        """
        return await self._step(partial(self._file.clear, space))

    async def remove(self, space: Space, text: str) -> int:
        """Removes the unit of a text; returns how many there were.

        Raises:
            MemoryFailedError: The file does not answer.
        """
        return await self._step(partial(self._file.remove, space, text))

    async def _parsed(self, parser: TmxParser, data: bytes) -> list[Unit]:
        units: list[Unit] = []
        for begin in range(0, len(data), PIECE_BYTES):
            piece = data[begin : begin + PIECE_BYTES]
            units += await self._step(partial(parser.feed, piece))
            if len(units) > self._limits.max_imported:
                raise BadFileError(
                    f"the file has over {self._limits.max_imported} sentences: send it in parts"
                )
        return units + parser.end()

    def _put(self, space: Space, units: Sequence[Unit]) -> Stored:
        limits = self._limits
        share = limits.max_share if space.owner else None
        return self._file.put(space, units, time.time(), limits.max_units, share)

    async def _page(self, space: Space, after: int) -> list[tuple[int, Unit]]:
        return await self._step(partial(self._file.page, space, after, _UNITS_OF_A_PAGE))

    async def _step(self, work: Callable[[], T]) -> T:
        """What the thread makes of some work, after a rest as long as the work."""
        loop = asyncio.get_running_loop()
        try:
            found, took_s = await loop.run_in_executor(self._thread, _timed, work)
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise StorageError(
                    "the translation memory has no room for more: remove sentences"
                ) from error
            raise MemoryFailedError(
                "the translation memory does not answer: try again later"
            ) from error
        await asyncio.sleep(took_s)
        return found


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began_s = time.monotonic()
    found = work()
    return found, time.monotonic() - began_s
