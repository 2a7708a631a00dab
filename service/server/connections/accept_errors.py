"""Logs failures to accept connections once a second instead of once per attempt.

Without free descriptors asyncio reports each attempt, with a traceback: thousands in a second.
"""

import asyncio
import errno
import logging
import time
from typing import Any

from service.observability.clock import Clock

INTERVAL_S = 1.0
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_log = logging.getLogger(__name__)


class AcceptErrors:
    """The exception handler of an event loop; leaves all other exceptions to asyncio's own."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._num_failed = 0
        self._logged_s: float | None = None

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle what the loop reports."""
        error = context.get("exception")
        is_accept = "accept" in str(context.get("message"))
        if not (is_accept and isinstance(error, OSError) and error.errno in _EXHAUSTED):
            loop.default_exception_handler(context)
            return
        self._num_failed += 1
        now_s = self._clock()
        if self._logged_s is None or now_s - self._logged_s >= INTERVAL_S:
            _log.error(
                "cannot accept connections",
                extra={"reason": error.strerror, "attempts": self._num_failed},
            )
            self._logged_s, self._num_failed = now_s, 0
