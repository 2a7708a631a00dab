"""A file on its way to being translated."""

from dataclasses import dataclass
from typing import Literal

from service.errors import ServiceError

FileJobState = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: frozenset[FileJobState] = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJob:
    """What is known of a job at one moment."""

    id: str
    file_name: str
    """Of the translated file: `<id>.<its own name>`."""
    state: FileJobState = "waiting"
    num_strings: int = 0
    num_translated: int = 0
    error: ServiceError | None = None
    """Why it failed."""
    ended_s: float | None = None
    """On the clock of the store."""
    size_bytes: int = 0
    """Of the translated file."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED

    @property
    def progress(self) -> float:
        """From 0 to 1; 1 only when the file is there."""
        if self.state == "done":
            return 1.0
        return min(self.num_translated / self.num_strings, 0.999) if self.num_strings else 0.0
