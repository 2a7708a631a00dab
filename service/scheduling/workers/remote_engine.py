"""What the engines beyond a channel have in common: work goes there as messages."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

from service.engine.inspection import AttendRequest
from service.engine.prefill import DecodeRequest
from service.errors import StartupError
from service.scheduling.workers.engine_client import EngineDiedError
from service.scheduling.workers.messages import (
    Attend,
    BrokenFrameError,
    Cancel,
    Message,
    Ready,
    Refused,
    Submit,
)
from service.scheduling.workers.reports import Reports

START_S = 60.0
"""How long an engine may take to open its bundle."""
LOOK_S = 0.2
"""How often a start looks whether it is still wanted."""


class RemoteEngine(ABC):
    """See `EngineClient`; a child process or an actor, which begins with `Ready` or `Refused`."""

    def __init__(self, num_slots: int) -> None:
        self._num_slots = num_slots
        self._reports = Reports()
        self._heard_s = time.monotonic()
        self._is_wanted = True

    @property
    def num_slots(self) -> int:
        """Rows that it decodes side by side."""
        return self._num_slots

    @property
    def silence_s(self) -> float:
        """Seconds since its last report."""
        return time.monotonic() - self._heard_s

    @abstractmethod
    def launch(self) -> None:
        """Begin to start without waiting."""

    @abstractmethod
    def close(self) -> None:
        """End it."""

    @property
    @abstractmethod
    def _is_launched(self) -> bool: ...

    @abstractmethod
    def _first_message(self) -> Ready | Refused:
        """What it begins with; waits for that.

        Raises:
            EngineDiedError: It ended, took too long, or is no longer wanted.
        """

    @abstractmethod
    def _send(self, message: Message) -> None:
        """Give it a message.

        Raises:
            EngineDiedError: There is no engine any more.
        """

    def start(self) -> None:
        """Begin to be able to work; returns when it is.

        Raises:
            StartupError: It cannot open the bundle, or died, or is no longer wanted.
        """
        if not self._is_launched:
            self.launch()
        try:
            message = self._first_message()
        except (EngineDiedError, BrokenFrameError) as error:
            self.close()
            raise StartupError(f"an engine cannot start: {error}") from error
        if isinstance(message, Refused):
            self.close()
            raise StartupError(f"an engine cannot start: {message.reason}")

    def submit(self, requests: Sequence[DecodeRequest[int]], *, is_urgent: bool = False) -> None:
        """Give it sentences; urgent ones begin before those that have no slots yet."""
        self._send(Submit(requests=tuple(requests), is_urgent=is_urgent))

    def attend(self, request: AttendRequest[int]) -> None:
        """Give it finished pairs to inspect."""
        self._send(Attend(request=request))

    def cancel(self, handles: Sequence[int]) -> None:
        """Let it drop sentences and passes."""
        self._send(Cancel(handles=tuple(handles)))

    def give_up(self) -> None:
        """Let a `start` in progress fail; may be called by any thread."""
        self._is_wanted = False


def first_of(message: Message) -> Ready | Refused:
    """The message that an engine begins with.

    Raises:
        EngineDiedError: It is another.
    """
    if isinstance(message, Ready | Refused):
        return message
    raise EngineDiedError(f"it began with {type(message).__name__}")
