"""The file of translations that clients suggest, for the operator; it is only ever appended to."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

from service.errors import StartupError, StorageError

MAX_SUGGESTION_BYTES = 67_108_864
"""Of the file; beyond it suggestions are refused until the operator has moved it away."""
_MODE = 0o600
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class SuggestionFile:
    """Lines of time, source language, target language, text and suggestion, separated by tabs."""

    def __init__(self, path: Path, max_bytes: int = MAX_SUGGESTION_BYTES) -> None:
        """Create the file if it is missing.

        Raises:
            StartupError: It cannot be written.
        """
        self._path = path
        self._max_bytes = max_bytes
        try:
            os.close(self._open())
        except OSError as error:
            raise StartupError(f"--suggestion-file: {path} cannot be written: {error}") from error

    async def add(self, source: str, target: str, text: str, suggestion: str) -> None:
        """Append a suggestion.

        Raises:
            StorageError: The file is full, or the disk.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        fields = (now, source, target, text, suggestion)
        line = "\t".join(field.translate(_ESCAPES) for field in fields) + "\n"
        await asyncio.to_thread(self._append, line.encode())

    def _append(self, line: bytes) -> None:
        try:
            descriptor = self._open()
            try:
                is_full = os.fstat(descriptor).st_size + len(line) > self._max_bytes
                # One write, so that lines of several processes do not mix.
                is_written = not is_full and os.write(descriptor, line) == len(line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError("the suggestion cannot be stored: the disk refuses it") from error
        if not is_written:
            raise StorageError("the suggestion cannot be stored: no room is left for it")

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
