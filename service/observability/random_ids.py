"""Random ids: bytes of the system are drawn for many at once.

Each draw is a system call that gives the interpreter's lock away, and waits for it behind the
threads that work on texts.
"""

import os

_ID_BYTES = 16
_DRAWN_IDS = 256


class RandomIds:
    """Unique ids that cannot be guessed; for one thread."""

    def __init__(self) -> None:
        self._drawn = b""

    def new(self) -> str:
        """An id of 32 hexadecimal digits."""
        if not self._drawn:
            self._drawn = os.urandom(_DRAWN_IDS * _ID_BYTES)
        taken, self._drawn = self._drawn[:_ID_BYTES], self._drawn[_ID_BYTES:]
        return taken.hex()
