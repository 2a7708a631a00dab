"""Tells a request that its client has left, without a task that waits for it."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.requests import Request

EXTENSION = "pellucid.departure"
"""Where the scope of a request has the departure of its connection."""

Remove = Callable[[], object]


class Departure:
    """The end of a connection; for one event loop."""

    def __init__(self, resume_reading: Callable[[], object]) -> None:
        """Not yet left.

        Args:
            resume_reading: Called when it matters: the end of a paused connection is not noticed.
        """
        self._resume_reading = resume_reading
        self._listeners: dict[object, Callable[[], object]] = {}
        self.has_happened = False
        """Whether the connection is closed."""

    def announce(self) -> None:
        """The connection is closed: tell all requests that it still has."""
        self.has_happened = True
        listeners, self._listeners = self._listeners, {}
        for tell in listeners.values():
            tell()

    def listen(self, tell: Callable[[], object]) -> Remove:
        """Call `tell` once, when the client leaves; returns what takes that back."""
        self._resume_reading()
        key = object()
        self._listeners[key] = tell
        return lambda: self._listeners.pop(key, None)


def has_left(request: Request) -> bool:
    """Whether the client is known to have left."""
    departure = _departure_of(request)
    return departure is not None and departure.has_happened


def on_departure(request: Request, tell: Callable[[], object]) -> Remove:
    """Call `tell` once if the client leaves; returns what takes that back.

    Servers other than ours tell only who asks, so there a task does.

    Args:
        request: Its body has been read.
        tell: Must not wait.
    """
    departure = _departure_of(request)
    if departure is not None:
        return departure.listen(tell)
    asking = asyncio.create_task(_disconnect(request))
    asking.add_done_callback(lambda ended: None if ended.cancelled() else tell())
    return asking.cancel


def _departure_of(request: Request) -> Departure | None:
    extensions: dict[str, dict[str, Any]] = request.scope.get("extensions") or {}
    departure = extensions.get(EXTENSION, {}).get("connection")
    return departure if isinstance(departure, Departure) else None


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
