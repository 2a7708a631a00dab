"""A memory that another process has locked against readers."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOLD = """
import fcntl, sys
with open(sys.argv[1], "r+b") as index:
    fcntl.lockf(index, fcntl.LOCK_EX, 5, 123)
    print("locked", flush=True)
    sys.stdin.read()
"""
"""The locks of readers in the index of a write-ahead log: WALINDEX_LOCK in SQLite's format."""


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Until the end no connection can begin to read; one must be open."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, f"{path}-shm"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            process.stdin.close()
            process.wait()
