"""Makes the C library give memory back: glibc keeps what a flood of large bodies took."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Parameters of `mallopt`, from glibc's malloc.h."""
_LARGE_BYTES = 262_144
"""A block of so many bytes has pages of its own, which return to the system when it is freed."""
_NUM_ARENAS = 2
"""Every thread would get one of its own, up to eight times the number of cores."""


def tune_heap() -> bool:
    """Set what glibc would else adapt upwards; returns whether it did, elsewhere than glibc not."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = {
        _M_ARENA_MAX: _NUM_ARENAS,
        _M_MMAP_THRESHOLD: _LARGE_BYTES,
        _M_TRIM_THRESHOLD: _LARGE_BYTES,
    }
    accepted = [mallopt(parameter, value) == 1 for parameter, value in wanted.items()]
    return all(accepted)
