"""Throttles guessing: addresses that send wrong keys have to wait."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

from service.errors import WrongKeysError
from service.observability.clock import Clock

MAX_ADDRESSES = 10_000
"""Addresses with wrong keys that are remembered; the oldest make room."""
MAX_RIGHT_KEYS = 10_000
"""Keys that are remembered with the address from which they were accepted."""
_WINDOW_S = 60.0

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Window:
    began_s: float
    num_wrong: int


class WrongKeys:
    """Counts wrong keys by address; for one event loop.

    An address that has sent too many is refused before its key is looked up, so that it does not
    learn whether a guess is right. Keys that were accepted from that address lately are let in, so
    that one wrong client behind a proxy does not lock out the others.
    """

    def __init__(self, max_per_minute: int, clock: Clock) -> None:
        self._max_per_minute = max_per_minute
        self._clock = clock
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()

    def check(self, address: str, digest: str) -> None:
        """Let a key be looked up.

        Raises:
            WrongKeysError: The address has sent too many wrong keys.
        """
        window = self._window(address)
        if window.num_wrong < self._max_per_minute or (address, digest) in self._right:
            return
        raise WrongKeysError(
            f"Slowdown: {window.num_wrong} wrong keys came from this address within a minute, the "
            f"limit is {self._max_per_minute}",
            retry_after_s=window.began_s + _WINDOW_S - self._clock(),
        )

    def add_wrong(self, address: str, digest: str) -> None:
        """Count a wrong key."""
        self._right.pop((address, digest), None)  # it was revoked, or expired
        window = self._window(address)
        after = _Window(window.began_s, window.num_wrong + 1)
        _put(self._windows, address, after, MAX_ADDRESSES)

    def add_right(self, address: str, digest: str) -> None:
        """Remember that a key was accepted from an address."""
        _put(self._right, (address, digest), None, MAX_RIGHT_KEYS)

    def _window(self, address: str) -> _Window:
        window = self._windows.get(address)
        if window is None or self._clock() - window.began_s >= _WINDOW_S:
            return _Window(self._clock(), 0)
        return window


def _put(table: "OrderedDict[K, V]", key: K, value: V, max_entries: int) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > max_entries:
        table.popitem(last=False)
