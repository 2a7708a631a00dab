"""Measures how late the event loop is: what it does for one request delays every other one."""

import asyncio
import time
from collections.abc import Callable

from service.observability.clock import Clock

INTERVAL_S = 0.1
"""Between two measurements; each costs about ten microseconds."""


async def measure_loop_lag(
    observe: Callable[[float], object], *, clock: Clock = time.monotonic
) -> None:
    """Observe until cancelled by how many seconds a timer of the loop is late.

    Args:
        observe: Called with each measurement.
        clock: Monotonic, seconds.
    """
    while True:
        due_s = clock() + INTERVAL_S
        await asyncio.sleep(INTERVAL_S)
        observe(max(0.0, clock() - due_s))
