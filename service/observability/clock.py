"""The clock as an argument: what measures time is told how."""

from collections.abc import Callable

Clock = Callable[[], float]
