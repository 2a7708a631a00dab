"""Deadlines on the event loop: the work of a task is cancelled when its time is up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.errors import DeadlineExceededError


@asynccontextmanager
async def deadline(timeout_s: float | None, message: str) -> AsyncIterator[None]:
    """Cancel what the context encloses after `timeout_s` seconds; None: never.

    Raises:
        DeadlineExceededError: The time was up; with `message`.
    """
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise  # the work's own, of a socket for example
        raise DeadlineExceededError(message) from error
