"""What decodes token ids, wherever it runs: in this process, in a child, on another machine."""

from collections.abc import Callable, Sequence
from typing import Protocol

from bundle.reader import Bundle
from service.engine.inspection import AttendRequest
from service.engine.loop import Progress
from service.engine.prefill import DecodeRequest


class EngineDiedError(Exception):
    """The engine ended or hangs; what it had is lost to it, and has to be given to another."""


class EngineClient(Protocol):
    """One engine, used by one thread; only `wake` and `give_up` may be called by others."""

    @property
    def num_slots(self) -> int:
        """Rows that it decodes side by side."""

    @property
    def silence_s(self) -> float:
        """Seconds since it was last heard of; 0 for one that works while `work` is called."""

    def launch(self) -> None:
        """Begin to start without waiting, so that several start side by side."""

    def start(self) -> None:
        """Begin to be able to work; returns when it is.

        Raises:
            StartupError: It cannot.
        """

    def submit(self, requests: Sequence[DecodeRequest[int]], *, is_urgent: bool = False) -> None:
        """Give it sentences; they begin in this order, urgent ones before all without slots.

        Raises:
            EngineDiedError: There is no engine any more.
        """

    def attend(self, request: AttendRequest[int]) -> None:
        """Give it finished pairs to inspect, beside its sentences.

        Raises:
            EngineDiedError: Likewise.
        """

    def cancel(self, handles: Sequence[int]) -> None:
        """Let it drop sentences and passes; those that have ended already are still reported.

        Raises:
            EngineDiedError: Likewise.
        """

    def work(self, timeout_s: float) -> Progress[int]:
        """What it has done since; returns early when there is something, or `wake` was called.

        Raises:
            EngineDiedError: Likewise.
        """

    @property
    def wake(self) -> Callable[[], object]:
        """Lets `work` return; any thread may call it. Called for every job that comes."""

    def give_up(self) -> None:
        """Let a `start` in progress fail, as the service ends."""

    def close(self) -> None:
        """End it; whatever it still has is lost."""


EngineFactory = Callable[[Bundle], EngineClient]
"""Makes an engine of a bundle elsewhere than on this machine."""
