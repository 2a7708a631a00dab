import asyncio
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from service.errors import StartupError
from service.translation.memory.memory_file import Found, MemoryFile
from service.translation.memory.translation_memory import TranslationMemory
from service.translation.memory.unit import Space, Unit
from tests.service.translation.memory.locked_file import unreadable

EN_DE = Space.of("", "en", "de")
LONG_S = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "memory.db"
    with closing(MemoryFile(path, 1.0)) as file:
        file.put(EN_DE, [Unit(source="Hello there", target="Hallo")], 0.0, 10)
    return path


@contextmanager
def opened(path: Path, timeout_s: float = LONG_S) -> Iterator[TranslationMemory]:
    with closing(TranslationMemory(path, timeout_s)) as memory:
        yield memory


class Held:
    """Stands for the file: no call is answered before the test says so."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.began = threading.Event()
        self.num_calls = 0

    def find(self, space: Space, texts: Sequence[str]) -> list[Found | None]:
        self.num_calls += 1
        self.began.set()
        self.release.wait(LONG_S)
        return [Found(id=1, target="late", used_s=1e12) for _ in texts]

    def close(self) -> None:
        self.release.set()


def held_by(memory: TranslationMemory, held: Held) -> None:
    memory._equal.close()
    memory._equal = held  # type: ignore[assignment]


def test_found_and_suggested(path: Path) -> None:
    async def ask(memory: TranslationMemory) -> None:
        assert await memory.find(EN_DE, ["Hello there", "x"]) == ["Hallo", None]
        (found,), nothing = await memory.suggest(EN_DE, ["Hello thera", "x"])
        assert (found.translation, found.score) == ("Hallo", round(10 / 11, 4))
        assert nothing == []

    with opened(path) as memory:
        asyncio.run(ask(memory))


def test_use_is_written(path: Path) -> None:
    with opened(path) as memory:
        asyncio.run(memory.find(EN_DE, ["Hello there"]))
        memory._similar_thread.submit(lambda: None).result()
    with closing(MemoryFile(path, 1.0)) as file:
        (found,) = file.find(EN_DE, ["Hello there"])
    assert found is not None
    assert found.used_s > 1e9


def test_locked_file_is_given_up(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def ask(memory: TranslationMemory) -> None:
        with unreadable(path):
            answers = await asyncio.gather(
                *(memory.find(EN_DE, ["Hello there"]) for _ in range(200))
            )
            assert answers == [[None]] * 200
            assert await memory.suggest(EN_DE, ["Hello thera"]) == [[]]

    with opened(path, timeout_s=0.2) as memory, caplog.at_level(logging.WARNING):
        asyncio.run(ask(memory))
    assert {record.message for record in caplog.records} == {"translation memory failed"}
    assert "Hello" not in caplog.text


def test_writer_is_not_waited_for(path: Path) -> None:
    async def ask(memory: TranslationMemory) -> None:
        assert await memory.find(EN_DE, ["Hello there"]) == ["Hallo"]
        assert [len(found) for found in await memory.suggest(EN_DE, ["Hello thera"])] == [1]

    with (
        opened(path, timeout_s=0.2) as memory,
        closing(sqlite3.connect(path, isolation_level=None)) as file,
    ):
        file.execute("BEGIN EXCLUSIVE")
        file.execute("DELETE FROM units")
        asyncio.run(ask(memory))


def test_after_a_failure_waiting_calls_fail_at_once_for_a_while(path: Path) -> None:
    now_s = 1000.0

    class Failing(Held):
        def find(self, space: Space, texts: Sequence[str]) -> list[Found | None]:
            self.num_calls += 1
            if self.num_calls == 1:
                raise sqlite3.OperationalError("database is locked")
            return [Found(id=1, target="found", used_s=1e12) for _ in texts]

    failing = Failing()

    async def ask(memory: TranslationMemory) -> None:
        nonlocal now_s
        answers = await asyncio.gather(*(memory.find(EN_DE, ["a"]) for _ in range(50)))
        assert answers == [[None]] * 50
        now_s += 1.0
        assert await memory.find(EN_DE, ["a"]) == ["found"]

    with closing(TranslationMemory(path, 0.5, lambda: now_s)) as memory:
        held_by(memory, failing)
        asyncio.run(ask(memory))
    assert failing.num_calls == 2


def test_file_that_hangs_is_given_up_and_waiting_calls_are_not_made(path: Path) -> None:
    held = Held()

    async def ask(memory: TranslationMemory) -> None:
        answers = await asyncio.gather(*(memory.find(EN_DE, ["a"]) for _ in range(50)))
        assert answers == [[None]] * 50

    with opened(path, timeout_s=0.1) as memory:
        held_by(memory, held)
        asyncio.run(ask(memory))
        held.release.set()
    assert held.num_calls == 1


def test_request_is_not_kept_beyond_its_time(path: Path) -> None:
    held = Held()

    async def ask(memory: TranslationMemory) -> None:
        assert await memory.find(EN_DE, ["a"], left_s=0.05) == [None]
        assert await memory.find(EN_DE, ["a"], left_s=0.0) == [None]

    with opened(path) as memory:
        held_by(memory, held)
        asyncio.run(ask(memory))
        held.release.set()


def test_load_alone_is_no_failure(path: Path) -> None:
    """A call waits longer than the time for an answer if others are answered meanwhile."""
    now_s = 1000.0

    class Slow(Held):
        def find(self, space: Space, texts: Sequence[str]) -> list[Found | None]:
            nonlocal now_s
            now_s += 0.9
            return [Found(id=1, target="late", used_s=1e12) for _ in texts]

    async def ask(memory: TranslationMemory) -> None:
        answers = await asyncio.gather(*(memory.find(EN_DE, ["a"]) for _ in range(50)))
        assert answers == [["late"]] * 50

    with closing(TranslationMemory(path, 1.0, lambda: now_s)) as memory:
        held_by(memory, Slow())
        asyncio.run(ask(memory))


def test_suggestions_end_in_time(path: Path) -> None:
    now_s = 1000.0

    def clock() -> float:
        nonlocal now_s
        now_s += 0.01
        return now_s

    async def ask(memory: TranslationMemory) -> None:
        lists = await memory.suggest(EN_DE, ["Hello thera"] * 100)
        assert len(lists) == 100
        assert lists[0]
        assert not lists[-1]

    with closing(TranslationMemory(path, 1.0, clock)) as memory:
        asyncio.run(ask(memory))


def test_unusable_file_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="--memory"):
        TranslationMemory(tmp_path / "missing" / "memory.db", 1.0)
