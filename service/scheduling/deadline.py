"""Deadlines on the event loop: the work of a task is cancelled when its time is up."""

import asyncio
from types import TracebackType

from service.errors import DeadlineExceededError


class deadline:  # noqa: N801 - used like a function; a generator would cost a short request more
    """Cancel what the context encloses after `timeout_s` seconds; None: never.

    Raises:
        DeadlineExceededError: The time was up; with `message`.
    """

    def __init__(self, timeout_s: float | None, message: str) -> None:
        """Begin to count when the context is entered."""
        self._timeout_s = timeout_s
        self._message = message

    async def __aenter__(self) -> None:
        self._limit = asyncio.timeout(self._timeout_s)
        await self._limit.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise DeadlineExceededError(self._message) from late
