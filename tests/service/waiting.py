"""Waiting for another process, which has no clock that could be given to it."""

import time
from collections.abc import Callable

_LONGEST_S = 90.0
_PAUSE_S = 0.02


def eventually(condition: Callable[[], bool], longest_s: float = _LONGEST_S) -> None:
    """Wait until something is so; fails if that takes too long."""
    until_s = time.monotonic() + longest_s
    while not condition():
        assert time.monotonic() < until_s, "it never came to be"
        time.sleep(_PAUSE_S)
