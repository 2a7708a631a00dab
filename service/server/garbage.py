"""Collects old garbage while no request waits.

A collection stops all threads for as long as it takes to look at every object it may free: 1 ms for
the youngest 5,000, 130 ms for all of a crowd's. What dies young is freed by automatic collections,
so little grows old, and that can wait.
"""

import asyncio
import gc
import time
from collections.abc import Callable

from service.observability.clock import Clock

THRESHOLDS = (5_000, 2_000, 10)
"""Of the three generations. With Python's 700 for the youngest, a flood of requests spent a sixth
of its time in collections; with 20,000 one took up to 15 ms. Those for the older two are never
reached while `collect_old_garbage` runs."""
INTERVAL_S = 1.0
LEAST_COLLECTIONS = 20
"""Of the youngest generation, after which there may be enough old garbage to be worth it."""
LONGEST_S = 120.0
"""After which it is collected beside requests as well."""


def tune_garbage_collection() -> None:
    """Exclude everything loaded so far from collections, and leave old objects alone."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


async def collect_old_garbage(
    is_idle: Callable[[], bool], *, clock: Clock = time.monotonic
) -> None:
    """Collect all generations from time to time until cancelled.

    Args:
        is_idle: Whether no request waits for the process.
        clock: Monotonic, seconds.
    """
    collected_s = clock()
    while True:
        await asyncio.sleep(INTERVAL_S)
        _, num_young, _ = gc.get_count()
        is_due = is_idle() or clock() - collected_s >= LONGEST_S
        if is_due and num_young >= LEAST_COLLECTIONS:
            gc.collect()
            collected_s = clock()
