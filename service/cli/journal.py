"""What is done of a long piece of work, written down so that it can go on after an interruption."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self


class Journal:
    """One line says what the work is, each further one what was done; a context manager.

    A process that is killed leaves at most its last line unfinished, which is then done again.
    """

    def __init__(self, path: Path, work: str) -> None:
        """Read what is done.

        Args:
            path: The journal's file; it need not exist.
            work: Names the work exactly; a journal of any other is begun anew.
        """
        self._path = path
        self._work = work
        self._file: IO[str] | None = None
        self.done: dict[int, str] = {}
        self._end = self._read()

    def __enter__(self) -> Self:
        """Write from here on."""
        self._file = self._path.open("a", encoding="ascii")
        self._file.truncate(self._end)
        if self._end == 0:
            self._write({"work": self._work})
        return self

    def __exit__(self, *_: object) -> None:
        """Keep the journal for another time."""
        if self._file is not None:
            self._file.close()

    def record(self, new: Mapping[int, str]) -> None:
        """Write down what was just done."""
        self._write({str(number): text for number, text in new.items()})

    def remove(self) -> None:
        """The work is finished."""
        self._path.unlink(missing_ok=True)

    def _write(self, line: dict[str, str]) -> None:
        assert self._file is not None, "entered"
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _read(self) -> int:
        """Size of what is good of the file, in bytes."""
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
    """A whole line of a journal; None for what was broken off."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
