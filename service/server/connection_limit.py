"""Connections that wait for their client: there is room for so many, and the newest gets it."""

import asyncio
import resource

from service.observability.metrics import Metrics


class Lobby:
    """Counts connections, and closes those that keep others out; belongs to one event loop.

    A connection is in the lobby while its client has to do something: to send a request, or the
    rest of one, or to take a reply. When there are too many connections, the one that has been
    there for longest has to go. Whoever means it has sent its request by then, so that slow and
    half-open connections, however many, only drive each other out. Those whose request is being
    worked on are not in the lobby: how many there may be is a matter of admission.
    """

    def __init__(self, max_connections: int, metrics: Metrics) -> None:
        self._max_connections = max_connections
        self._metrics = metrics
        self._num_open = 0
        self._waiting: dict[asyncio.Transport, None] = {}  # the longest first

    def arrive(self, connection: asyncio.Transport) -> None:
        """A new connection; may cost another its place, or find none."""
        self._count(1)
        self._waiting[connection] = None
        if self._num_open > self._max_connections:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]  # it has gone only when the event loop comes round
            self._metrics.rejected.labels(reason="too_many_connections").inc()
            oldest.abort()

    def wait(self, connection: asyncio.Transport) -> None:
        """From now on it is for the client to do something."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = None

    def serve(self, connection: asyncio.Transport) -> None:
        """From now on it is for us."""
        self._waiting.pop(connection, None)

    def leave(self, connection: asyncio.Transport) -> None:
        """It is closed."""
        self._count(-1)
        self._waiting.pop(connection, None)

    def _count(self, change: int) -> None:
        self._num_open += change
        self._metrics.connections.set(self._num_open)


RESERVE = 2_176
"""For files, bundles and logs, and for those that are accepted in one go before the first of them
can be sent away; at most half of what there is."""


def allow_connections(wanted: int) -> int:
    """Raise the limit of open files as far as needed and allowed.

    Beyond it nobody's connection could be accepted until others go.

    Returns:
        How many connections fit, at most `wanted`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    limit = wanted + RESERVE if hard == resource.RLIM_INFINITY else min(wanted + RESERVE, hard)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    files = max(soft, limit)
    return min(wanted, files - min(RESERVE, files // 2))
