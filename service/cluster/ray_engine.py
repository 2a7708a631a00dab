"""An engine as a Ray actor, as the front sees it: creates it, talks to it, notices its end."""

import itertools
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import ray
from ray.exceptions import RayError

from bundle.reader import Bundle
from service.cluster.engine_actor import EngineActor
from service.engine.loop import Progress
from service.scheduling.workers.engine_client import EngineDiedError
from service.scheduling.workers.framing import HEADER
from service.scheduling.workers.messages import (
    BrokenFrameError,
    Message,
    Ready,
    Refused,
    decode,
    encode,
)
from service.scheduling.workers.remote_engine import LOOK_S, START_S, RemoteEngine, first_of
from service.scheduling.workers.reports import Reports

NUM_CALLS = 2
"""Calls for frames that wait in the actor: while the answer of one is on its way, the next is
there already."""
_MAX_CALLS = 10_000
"""Calls that Ray passes to an actor at once: practically all."""

_Answer = int | tuple[int, bytes] | Exception | None
"""Of a call to the actor; None: `wake` was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorOptions:
    """How an engine actor runs."""

    num_slots: int
    num_threads: int = 1
    num_cpus: int = 1
    """That the cluster reserves for it."""
    max_silence_s: float = 60.0
    """An engine without a report for so long hangs, and is killed; 0: never."""


class RayEngine(RemoteEngine):
    """See `EngineClient`. The actor ends with the process that created it."""

    def __init__(self, bundle: Bundle, options: ActorOptions) -> None:
        super().__init__(options.num_slots)
        self._bundle = bundle
        self._options = options
        self._actor: Any = None
        self._has_place = False
        self._early: dict[int, bytes] = {}
        self._num_read = 0
        self._numbers = itertools.count()
        self._answers: SimpleQueue[_Answer] = SimpleQueue()

    def launch(self) -> None:
        """Ask the cluster for the actor without waiting for it."""
        options = self._options
        self._answers, self._has_place = SimpleQueue(), False
        self._early, self._num_read = {}, 0  # frames that came before their turn
        self._numbers = itertools.count()
        self._reports = Reports()
        self._actor = (
            ray.remote(EngineActor)
            .options(
                name=f"pellucid-engine-{self._bundle.manifest.name}-{uuid.uuid4().hex[:8]}",
                num_cpus=options.num_cpus,
                max_concurrency=_MAX_CALLS,
                max_restarts=0,  # this client starts another, with back-off
                scheduling_strategy="SPREAD",
            )
            .remote(
                self._bundle.path,
                self._bundle.sha256,
                num_slots=options.num_slots,
                num_threads=options.num_threads,
            )
        )
        self._await(self._actor.open.remote())

    def work(self, timeout_s: float) -> Progress[int]:
        """What it has done since; waits for that, for `wake` or for `timeout_s` seconds."""
        if self._actor is None:
            raise EngineDiedError("it was ended")
        progress: Progress[int] = Progress()
        try:
            for message in self._messages(timeout_s):
                self._reports.add_to(progress, message)
        except BrokenFrameError as error:
            raise EngineDiedError(str(error)) from error
        if 0 < self._options.max_silence_s < self.silence_s:
            raise EngineDiedError(f"no report for {self._options.max_silence_s:g} s")
        return progress

    @property
    def wake(self) -> Callable[[], object]:
        """Lets `work` return; any thread may call it."""
        return self._wake

    def close(self) -> None:
        """End the actor at once."""
        actor, self._actor = self._actor, None
        if actor is not None and ray.is_initialized():
            ray.kill(actor)

    @property
    def _is_launched(self) -> bool:
        return self._actor is not None

    def _wake(self) -> None:
        self._answers.put(None)

    def _send(self, message: Message) -> None:
        if self._actor is None:
            raise EngineDiedError("it was ended")
        # If it is lost, so are the calls for frames.
        self._actor.send.remote(next(self._numbers), encode(message))

    def _await(self, answer: Any) -> None:  # noqa: ANN401 - Ray shows no type
        """Queue the answer of a call once it is there."""
        answer.future().add_done_callback(partial(_queue_answer, self._answers))

    def _messages(self, timeout_s: float) -> Iterator[Message]:
        """All that has come; waits for the first.

        Raises:
            EngineDiedError: The actor has ended, or sends what is no message.
        """
        try:
            answer = self._answers.get(timeout=timeout_s)
            while True:
                yield from self._read(answer)
                answer = self._answers.get_nowait()
        except Empty:
            return
        except BrokenFrameError as error:
            raise EngineDiedError(str(error)) from error

    def _read(self, answer: _Answer) -> Iterator[Message]:
        match answer:
            case None:
                return
            case Exception():
                raise EngineDiedError(_first_line(answer)) from answer
            case int():  # the id of the process that is the actor's now
                self._heard_s, self._has_place = time.monotonic(), True
                for _ in range(NUM_CALLS):
                    self._await(self._actor.receive.remote())
            case (number, frame):
                self._heard_s = time.monotonic()
                self._await(self._actor.receive.remote())
                self._early[number] = frame
                yield from self._in_order()

    def _in_order(self) -> Iterator[Message]:
        """The messages before which none is missing."""
        while (frame := self._early.pop(self._num_read, None)) is not None:
            if not frame:
                raise EngineDiedError("its loop has ended")
            self._num_read += 1
            yield decode(frame[HEADER.size :])

    def _first_message(self) -> Ready | Refused:
        while self._is_wanted:
            for message in self._messages(LOOK_S):
                return first_of(message)
            if self._has_place and self.silence_s > START_S:
                raise EngineDiedError(f"it was not ready within {START_S:g} s")
        raise EngineDiedError("it is no longer wanted")


def _queue_answer(answers: "SimpleQueue[_Answer]", future: "Future[Any]") -> None:
    error = future.exception()
    if error is None:
        answers.put(future.result())
    else:
        answers.put(error if isinstance(error, Exception) else RuntimeError(repr(error)))


def _first_line(error: Exception) -> str:
    """Ray's messages are pages."""
    if isinstance(error, RayError):
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[0] if lines else type(error).__name__
    return f"{type(error).__name__}: {error}"
