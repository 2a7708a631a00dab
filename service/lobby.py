"""Connections that wait for their client: there is room for so many, and the newest gets it."""

import asyncio

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
