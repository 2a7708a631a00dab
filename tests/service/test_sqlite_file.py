"""SQLite files that several open at once."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from service.sqlite_file import log_ahead, open_sqlite

TIMEOUT_S = 20.0
NUM_THREADS = 4
NUM_FILES = 30


def test_a_new_file_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "new.db", TIMEOUT_S)):
        assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600


def test_several_change_a_new_file_at_once(tmp_path: Path) -> None:
    faults: list[Exception] = []
    modes: list[str] = []
    ready = threading.Barrier(NUM_THREADS)

    def change(number: int) -> None:
        ready.wait()
        try:
            with closing(open_sqlite(tmp_path / f"{number}.db", TIMEOUT_S)) as file:
                log_ahead(file, TIMEOUT_S)
                modes.extend(file.execute("PRAGMA journal_mode").fetchone())
        except sqlite3.Error as error:
            faults.append(error)

    for number in range(NUM_FILES):
        threads = [threading.Thread(target=change, args=(number,)) for _ in range(NUM_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert faults == []
    assert modes == ["wal"] * (NUM_FILES * NUM_THREADS)


def test_a_file_that_stays_locked_is_given_up_in_time(tmp_path: Path) -> None:
    path = tmp_path / "held.db"
    with closing(open_sqlite(path, TIMEOUT_S)) as holder, closing(open_sqlite(path, 0.05)) as late:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            log_ahead(late, 0.05)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("no database " * 100, encoding="utf-8")
    with (
        closing(open_sqlite(path, TIMEOUT_S)) as file,
        pytest.raises(sqlite3.DatabaseError, match="not a database"),
    ):
        log_ahead(file, TIMEOUT_S)
