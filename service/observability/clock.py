"""The type of clocks, which are passed as arguments: seconds, monotonic."""

from collections.abc import Callable

Clock = Callable[[], float]


def left_s(deadline_s: float | None, clock: Clock) -> float | None:
    """Seconds until a deadline on a clock, at least 0; None: there is no deadline."""
    return None if deadline_s is None else max(0.0, deadline_s - clock())
