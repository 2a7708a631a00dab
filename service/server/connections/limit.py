"""Caps open connections; when full, closes the one that has been idle longest."""

import asyncio
import resource

from service.observability.metrics import Metrics

RESERVED_DESCRIPTORS = 2_176
"""Kept free for files, bundles and logs, and for connections accepted before the first of them can
be closed; at most half of all descriptors."""
_TURNS_UNTIL_CLOSED = 4
"""Of the event loop, from a connection beyond the limit until that of another is closed."""

_MAX_ACCEPTED = 8
"""In one turn of the event loop: each costs a tenth of a millisecond or more."""


class ConnectionLimit:
    """Counts connections and closes the longest idle one beyond the limit; for one event loop.

    A connection is idle while its client has to act: send a request or the rest of one, or read a
    reply. A well-behaved client has sent its request long before its connection is the oldest idle
    one, so slow and half-open connections, however many, only displace each other. A connection
    whose request is being processed is never closed: `RequestLimit` bounds those.
    """

    def __init__(self, max_connections: int, metrics: Metrics) -> None:
        self._max_connections = max_connections
        self._metrics = metrics
        self._num_open = 0
        self._idle: dict[asyncio.Transport, None] = {}
        """In the order in which they became idle: the oldest first."""

    def add(self, connection: asyncio.Transport) -> None:
        """Count a new, idle connection; beyond the limit, abort the one idle longest."""
        self._count(1)
        self._idle[connection] = None
        if self._num_open > self._max_connections:
            oldest = next(iter(self._idle))
            del self._idle[oldest]  # `connection_lost` follows in a later turn of the event loop
            self._metrics.rejected.labels(reason="too_many_connections").inc()
            oldest.abort()

    def mark_idle(self, connection: asyncio.Transport) -> None:
        """The client has to act from now on."""
        self._idle.pop(connection, None)
        self._idle[connection] = None

    def mark_busy(self, connection: asyncio.Transport) -> None:
        """The service has to act from now on."""
        self._idle.pop(connection, None)

    def remove(self, connection: asyncio.Transport) -> None:
        """Forget a closed connection."""
        self._count(-1)
        self._idle.pop(connection, None)

    def _count(self, change: int) -> None:
        self._num_open += change
        self._metrics.connections.set(self._num_open)


def max_accepted_per_turn() -> int:
    """Connections to accept in one turn of the event loop.

    They fit into half of the reserve, and a flood of them leaves turns to open connections.
    """
    num_descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(_MAX_ACCEPTED, _reserved(num_descriptors) // (2 * _TURNS_UNTIL_CLOSED)))


def raise_descriptor_limit(max_connections: int) -> int:
    """Raise the limit of open files as far as needed and allowed.

    Beyond that limit no connection could be accepted until another closes.

    Returns:
        How many connections fit, at most `max_connections`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return max_connections
    wanted = max_connections + RESERVED_DESCRIPTORS
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    num_descriptors = max(soft, limit)
    return min(max_connections, num_descriptors - _reserved(num_descriptors))


def _reserved(num_descriptors: int) -> int:
    if num_descriptors == resource.RLIM_INFINITY:
        return RESERVED_DESCRIPTORS
    return min(RESERVED_DESCRIPTORS, num_descriptors // 2)
