"""SQLite files that several processes read and write at once."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from service.errors import StartupError

_RETRY_S = 0.01


def open_sqlite(path: Path, timeout_s: float) -> sqlite3.Connection:
    """Open a file, or make one that its owner alone may read.

    The caller keeps the connection to one thread, which need not be this one.

    Args:
        path: The file.
        timeout_s: Time that every statement waits for another process.

    Raises:
        OSError: The file cannot be made.
        sqlite3.Error: The file cannot be opened.
    """
    path.touch(mode=0o600)
    return sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)


def open_prepared(
    path: Path, timeout_s: float, prepare: Callable[[sqlite3.Connection], None], *, flag: str
) -> sqlite3.Connection:
    """Open a file as `open_sqlite`, and have its tables made.

    Args:
        path: The file.
        timeout_s: Time that every statement waits for another process.
        prepare: Makes the tables that are missing.
        flag: What names the file on the command line.

    Raises:
        StartupError: The file cannot be used.
    """
    try:
        file = open_sqlite(path, timeout_s)
        try:
            prepare(file)
        except BaseException:
            file.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise StartupError(f"{flag}: {path} cannot be used: {error}") from error
    return file


def check_version(found: int, known: int, path: Path, *, flag: str) -> None:
    """Check that a file is of no later version than this program.

    Raises:
        StartupError: It is.
    """
    if found > known:
        raise StartupError(
            f"{flag}: {path} was written by a later version of Pellucid: "
            "use that one, or another file"
        )


def log_ahead(file: sqlite3.Connection, timeout_s: float) -> None:
    """Write to a log ahead of the file, so that readers do not wait for a writer.

    Tried again by itself: SQLite refuses at once, whatever its time-out, when two connections
    change a new file, because each would wait for the other.

    Raises:
        sqlite3.Error: It is no SQLite file, or others hold it for `timeout_s`.
    """
    ends_s = time.monotonic() + timeout_s
    while not _logs_ahead(file, is_last=time.monotonic() >= ends_s):
        time.sleep(_RETRY_S)
    file.execute("PRAGMA synchronous = NORMAL")


def _logs_ahead(file: sqlite3.Connection, is_last: bool) -> bool:
    try:
        file.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if is_last or error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
