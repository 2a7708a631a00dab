"""Records finished parts of a long job in a file, so that an interrupted run resumes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

from service.cli.paths import naming


class Journal:
    """The first line identifies the work, each further one records results; a context manager.

    A killed process leaves at most its last line incomplete; the results in it are lost.
    """

    def __init__(self, path: Path, work: str) -> None:
        """Read the recorded results.

        Args:
            path: The journal's file; need not exist.
            work: Identifies the work; the journal of another is overwritten.
        """
        self._path = path
        self._work = work
        self._file: IO[str] | None = None
        self.done: dict[int, str] = {}
        self._end = self._read()

    def __enter__(self) -> Self:
        """Open the file for writing, after its last complete line."""
        self._file = self._path.open("a", encoding="ascii")
        with naming(self._path):
            self._file.truncate(self._end)
        if self._end == 0:
            self._write({"work": self._work})
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file and keep it."""
        if self._file is not None:
            with naming(self._path):
                self._file.close()

    def record(self, new: Mapping[int, str]) -> None:
        """Record results by number."""
        self._write({str(number): text for number, text in new.items()})

    def remove(self) -> None:
        """Delete the file, once the work is finished."""
        self._path.unlink(missing_ok=True)

    def _write(self, line: dict[str, str]) -> None:
        assert self._file is not None, "entered"
        with naming(self._path):
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def _read(self) -> int:
        """Read `done`; returns the size of the valid part of the file in bytes."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return 0
        end = 0
        for line in content.splitlines(keepends=True):
            entry = _entry(line)
            if entry is None or (end == 0 and entry != {"work": self._work}):
                break
            if end:
                self.done |= {int(number): text for number, text in entry.items()}
            end += len(line)
        return end


def _entry(line: bytes) -> dict[str, str] | None:
    """A line of a journal; None if it is incomplete or invalid."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
