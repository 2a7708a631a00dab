"""Tables of the file of a translation memory, and how it is opened."""

import sqlite3
from functools import partial
from pathlib import Path

from service.errors import StartupError
from service.sqlite_file import check_version, log_ahead, open_prepared

_FLAG = "--memory"
_VERSION = 1
UNIT_BYTES = 400
"""What a unit takes beside its texts: rows of its grams, its digest, and indexes."""
_TABLES = (
    """\
CREATE TABLE IF NOT EXISTS spaces (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
    UNIQUE (owner, source, target)
)""",
    """\
CREATE TABLE IF NOT EXISTS units (
    id INTEGER PRIMARY KEY, space INTEGER NOT NULL, digest BLOB NOT NULL,
    source TEXT NOT NULL, target TEXT NOT NULL, used_s REAL NOT NULL,
    UNIQUE (space, digest)
)""",
    "CREATE INDEX IF NOT EXISTS units_by_use ON units (space, used_s)",
    """\
CREATE TABLE IF NOT EXISTS grams (
    space INTEGER, gram INTEGER, unit INTEGER, PRIMARY KEY (space, gram, unit)
) WITHOUT ROWID""",
    f"PRAGMA user_version = {_VERSION}",
)
_HAS_SIZES = "SELECT count(*) FROM pragma_table_info('spaces') WHERE name = 'size_bytes'"


def _size_of(row: str) -> str:
    texts = " + ".join(f"length(CAST({row}.{name} AS BLOB))" for name in ("source", "target"))
    return f"({UNIT_BYTES} + {texts})"


# Triggers, so that a program which does not know the sizes keeps them right as well.
_SIZES = (
    "ALTER TABLE spaces ADD COLUMN size_bytes INTEGER NOT NULL DEFAULT 0",
    f"""\
UPDATE spaces SET size_bytes =
    coalesce((SELECT sum{_size_of("units")} FROM units WHERE space = spaces.id), 0)""",  # nosec B608 - of constants
    f"""\
CREATE TRIGGER units_grow AFTER INSERT ON units BEGIN
    UPDATE spaces SET size_bytes = size_bytes + {_size_of("new")} WHERE id = new.space;
END""",  # nosec B608 - of constants
    f"""\
CREATE TRIGGER units_shrink AFTER DELETE ON units BEGIN
    UPDATE spaces SET size_bytes = size_bytes - {_size_of("old")} WHERE id = old.space;
END""",  # nosec B608 - of constants
    f"""\
CREATE TRIGGER units_change AFTER UPDATE OF target ON units BEGIN
    UPDATE spaces SET size_bytes = size_bytes + {_size_of("new")} - {_size_of("old")}
    WHERE id = new.space;
END""",  # nosec B608 - of constants
)


def open_memory(path: Path, timeout_s: float) -> sqlite3.Connection:
    """Opens the file of a memory, and makes what it lacks.

    Raises:
        StartupError: It cannot be written, or is no such file.
    """
    prepare = partial(_prepare, path=path, timeout_s=timeout_s)
    return open_prepared(path, timeout_s, prepare, flag=_FLAG)


def _prepare(file: sqlite3.Connection, path: Path, timeout_s: float) -> None:
    with file:
        file.execute("BEGIN")  # another process may be making the file
        (version,) = file.execute("PRAGMA user_version").fetchone()
        (num_entries,) = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    check_version(version, _VERSION, path, flag=_FLAG)
    if version == 0 and num_entries:
        raise StartupError(f"{_FLAG}: {path} is no translation memory: name another file")
    log_ahead(file, timeout_s)
    if version == _VERSION and _has_sizes(file):
        return
    with file:
        file.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            file.execute(statement)
        for statement in () if _has_sizes(file) else _SIZES:
            file.execute(statement)


def _has_sizes(file: sqlite3.Connection) -> bool:
    (count,) = file.execute(_HAS_SIZES).fetchone()
    return bool(count)
