"""How the CPU time of work grows with its size; robust against other work on the machine."""

import gc
import math
import time
from collections.abc import Callable

MOST_PER_DOUBLING = 3.2
"""Linear work takes twice as long, and more where it leaves a cache; quadratic work four times."""
_MOST_TRIES = 5
_LEAST_S = 0.002
"""Shorter times say nothing."""


def assert_linear(work: Callable[[int], Callable[[], object]], size: int) -> None:
    """Fails if work four times as large takes over `MOST_PER_DOUBLING` squared as long.

    Args:
        work: Prepares the work of a size, which is measured when it is called.
        size: Of the smallest work; there is one twice, and one four times as large.
    """
    prepared = [work(factor * size) for factor in (1, 2, 4)]
    fastest_s = [math.inf] * len(prepared)
    for _ in range(_MOST_TRIES):
        fastest_s = [min(s, _seconds(each)) for s, each in zip(fastest_s, prepared, strict=True)]
        first_s, second_s, third_s = (max(s, _LEAST_S) for s in fastest_s)
        if (
            third_s <= MOST_PER_DOUBLING**2 * first_s
            and second_s <= 2 * MOST_PER_DOUBLING * first_s
        ):
            return
    raise AssertionError(f"seconds for size, 2 * size and 4 * size: {fastest_s}")


def _seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this thread, without collections."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        started_s = time.thread_time()
        work()
        return time.thread_time() - started_s
    finally:
        if was_enabled:
            gc.enable()
