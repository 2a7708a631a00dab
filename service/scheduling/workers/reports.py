"""Turns what an engine sends while it works into progress, wherever it is."""

from service.engine.loop import Progress
from service.scheduling.workers.messages import (
    BrokenFrameError,
    Message,
    Part,
    Report,
    decode_attended,
)


class Reports:
    """Keeps the parts of a pass until it is whole."""

    def __init__(self) -> None:
        self._parts: list[Part] = []

    def add_to(self, progress: Progress[int], message: Message) -> None:
        """Add what a message says.

        Raises:
            BrokenFrameError: It is none that an engine sends while it works.
        """
        match message:
            case Report():
                progress.add(message.progress)
            case Part():
                self._collect(message, progress)
            case _:
                raise BrokenFrameError(f"it sent {type(message).__name__} while working")

    def _collect(self, part: Part, progress: Progress[int]) -> None:
        """Keep a part of a pass, or complete the pass with it."""
        if self._parts and self._parts[0].handle != part.handle:
            self._parts.clear()  # of a pass that was cancelled
        self._parts.append(part)
        if part.is_last:
            data = b"".join(each.data for each in self._parts)
            self._parts.clear()
            progress.attended.append(decode_attended(data))
