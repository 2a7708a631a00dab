"""Hands passes over finished pairs to one engine, one at a time, and delivers their results."""

import logging
from collections.abc import Iterator

from service.engine.inspection import Attended, AttendRequest
from service.engine.loop import Failure
from service.errors import ServiceError, ShuttingDownError, TranslationFailedError
from service.scheduling.attend_queue import Attend, AttendQueue
from service.scheduling.workers.engine_client import EngineClient

_log = logging.getLogger(__name__)


class AttendFeed:
    """The passes of one engine; used by the thread of its dispatcher."""

    def __init__(self, engine: EngineClient, queue: AttendQueue, handles: Iterator[int]) -> None:
        """Take nothing before `hand_over`.

        Args:
            engine: Works for its sentences as well.
            queue: Shared by all engines.
            handles: That no sentence in the engine has.
        """
        self._engine = engine
        self._queue = queue
        self._handles = handles
        self._inside: dict[int, Attend] = {}

    @property
    def is_idle(self) -> bool:
        """Whether the engine has no pass."""
        return not self._inside

    def hand_over(self) -> None:
        """Give the engine a pass if it has none, and there is one."""
        if self._inside or (attend := self._queue.take()) is None:
            return
        handle = next(self._handles)
        self._inside[handle] = attend
        self._engine.attend(AttendRequest(handle=handle, pairs=attend.pairs, wanted=attend.wanted))

    def cancel(self) -> list[int]:
        """Forget the passes that were cancelled; returns their handles."""
        cancelled = [h for h, attend in self._inside.items() if attend.future.cancelled()]
        for handle in cancelled:
            del self._inside[handle]
        return cancelled

    def deliver(self, attended: Attended[int]) -> None:
        """Answer a pass, unless it was cancelled meanwhile."""
        attend = self._inside.pop(attended.handle, None)
        if attend is not None and attend.future.set_running_or_notify_cancel():
            attend.future.set_result(attended.pairs)

    def owns(self, failure: Failure[int]) -> bool:
        """Whether it is a pass that failed, not sentences."""
        return any(handle in self._inside for handle in failure.handles)

    def fail(self, error: str) -> None:
        """Let another engine try what this one had; a pass that has failed before fails."""
        for attend in self._inside.values():
            if not attend.future.cancelled():
                self._fail(attend, error)
        self._inside.clear()

    def stop(self) -> None:
        """Fail the passes inside: the engine is being ended."""
        for attend in self._inside.values():
            end_with(attend, ShuttingDownError("the service was stopped"))
        self._inside.clear()

    def _fail(self, attend: Attend, error: str) -> None:
        _log.error("batch failed", extra={"jobs": len(attend.pairs), "error": error})
        if not attend.has_failed:
            attend.has_failed = True
            self._queue.give_back(attend)
            return
        source_tokens = sum(len(source_ids) for source_ids, _ in attend.pairs)
        fields = {"request_id": attend.request_id, "source_tokens": source_tokens}
        _log.error("job failed", extra={**fields, "error": error})
        end_with(attend, TranslationFailedError("the model failed on this text"))


def end_with(attend: Attend, error: ServiceError) -> None:
    """Let a pass fail, unless it was cancelled."""
    if attend.future.set_running_or_notify_cancel():
        attend.future.set_exception(error)
