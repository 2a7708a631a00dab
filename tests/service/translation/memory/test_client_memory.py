import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from service.errors import BadFileError, MemoryFailedError
from service.translation.memory.client_memory import ClientMemory, ClientMemoryLimits
from service.translation.memory.memory_file import MemoryFile, Stored
from service.translation.memory.tmx import Skipped, read_tmx, write_tmx
from service.translation.memory.unit import Space, Unit

EN_DE = Space.of("key", "en", "de")
UNITS = [Unit(source=f"Sentence {n} & <more>.", target=f"Satz {n}.") for n in range(1_203)]

T = TypeVar("T")


def run(path: Path, work: Callable[[ClientMemory], Coroutine[Any, Any, T]], **given: float) -> T:
    limits = ClientMemoryLimits(
        max_units=2_000,
        max_bytes=1 << 30,
        max_imported=int(given.get("max_imported", 2_000)),
        timeout_s=given.get("timeout_s", 5.0),
    )
    with closing(ClientMemory(path, limits)) as memory:
        return asyncio.run(work(memory))


def test_export_has_what_was_added_in_order(tmp_path: Path) -> None:
    async def work(memory: ClientMemory) -> str:
        assert await memory.add(EN_DE, UNITS) == Stored(num_new=len(UNITS))
        other = Space.of("other", "en", "de")
        await memory.add(other, [Unit(source="Another's", target="x")])
        return "".join([lines async for lines in memory.export_tmx(EN_DE)])

    text = run(tmp_path / "memory.db", work)
    assert text == "".join(write_tmx(UNITS, "en", "de"))
    path = tmp_path / "out.tmx"
    path.write_text(text, encoding="utf-8")
    assert list(read_tmx(path, "en", "de", Skipped())) == UNITS


def test_large_file_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    data = "".join(write_tmx(UNITS, "en", "de")).encode()

    async def work(memory: ClientMemory) -> list[tuple[Space, int]]:
        with pytest.raises(BadFileError, match="over 1202 sentences"):
            await memory.import_tmx(EN_DE, "a.tmx", data, ("en", "de"))
        return await memory.spaces("key")

    assert run(tmp_path / "memory.db", work, max_imported=len(UNITS) - 1) == []


def test_file_that_another_process_holds_is_said(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    MemoryFile(path, 5.0).close()

    async def work(memory: ClientMemory) -> Stored:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(MemoryFailedError, match="try again later"):
                await memory.add(EN_DE, UNITS[:1])
        return await memory.add(EN_DE, UNITS[:1])

    assert run(path, work, timeout_s=0.05) == Stored(num_new=1)


def test_cancelled_import_ends_with_its_step(tmp_path: Path) -> None:
    async def work(memory: ClientMemory) -> int:
        adding = asyncio.create_task(memory.add(EN_DE, UNITS))
        await asyncio.sleep(0)
        while not await memory.spaces("key"):  # each look takes a turn of the thread
            pass
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        ((_, first),) = await memory.spaces("key")
        ((_, second),) = await memory.spaces("key")
        assert first == second
        return second

    assert 0 < run(tmp_path / "memory.db", work) < len(UNITS)
