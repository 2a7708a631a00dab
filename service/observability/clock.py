"""The type of clocks, which are passed as arguments: seconds, monotonic."""

from collections.abc import Callable

Clock = Callable[[], float]
