"""Replies as server-sent events while the work goes on."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from service.api.auth.charge import Charge
from service.api.refusals.problems import INTERNAL_ERROR, shortened
from service.api.replies.json import json_bytes
from service.api.requests.in_flight import InFlight
from service.errors import ServiceError
from service.scheduling.limits import Client
from service.translation.text_thread import TextThread

EVENT_STREAM = "text/event-stream"
EVENT_SCHEMA = {
    "type": "object",
    "description": "One event.",
    "properties": {
        "event": {"enum": ["part", "done", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
"""Of one event: OpenAPI 3.1 cannot describe a sequence of them."""
_MAX_QUEUED_EVENTS = 16
"""Events buffered for a client; a slow reader then slows down the work instead of using memory."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a stream."""

    name: str
    content: object
    num_chars: int
    """Characters of the request that are delivered with this event and those before it."""
    is_large: bool = False
    """Whether it takes long to serialise, as attention maps do."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    """An event as it is sent."""

    body: bytes
    num_chars: int


async def event_stream(
    request: Request,
    client: Client,
    in_flight: InFlight,
    events: AsyncGenerator[Event, None],
    charge: Charge,
    *,
    thread: TextThread,
) -> Response:
    """A reply that sends each event as soon as it is produced.

    Args:
        request: Its body has been read; the work is cancelled when the client leaves.
        client: Sends the request.
        in_flight: Counts the work until the last event.
        events: What is sent. An error before the first event is raised, a later one becomes a last
            event `error`.
        charge: Pays for each event that is handed to the connection; ends with the reply.
        thread: Serialises large events.
    """
    queue: asyncio.Queue[_Encoded] = asyncio.Queue(_MAX_QUEUED_EVENTS)
    filling = _fill(queue, events, partial(thread.run_apart, client))
    work = asyncio.create_task(in_flight.run(request, client, filling))
    try:
        first = await _next(queue, work)
    except BaseException:
        work.cancel()
        await charge.release()
        raise
    return _ChargedResponse(_bodies(first, queue, work, charge), charge)


class _ChargedResponse(StreamingResponse):
    """A stream whose charge ends with it, even if its client left before the first byte."""

    def __init__(self, bodies: AsyncIterator[bytes], charge: Charge) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(bodies, media_type=EVENT_STREAM, headers=headers)
        self._charge = charge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._charge.release()


async def _fill(
    queue: "asyncio.Queue[_Encoded]",
    events: AsyncGenerator[Event, None],
    run_apart: Callable[..., Coroutine[Any, Any, bytes]],
) -> None:
    async with aclosing(events):
        async for event in events:
            if event.is_large:
                body = await run_apart(_encoded, event.name, event.content)
            else:  # a sentence is serialised in less time than a thread takes to start with it
                body = _encoded(event.name, event.content)
            await queue.put(_Encoded(body, event.num_chars))


async def _next(queue: "asyncio.Queue[_Encoded]", work: "asyncio.Task[None]") -> _Encoded | None:
    """The next event, None after the last; raises the error that ended the work."""
    getting = asyncio.create_task(queue.get())
    try:
        await asyncio.wait({getting, work}, return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            return getting.result()
    finally:
        getting.cancel()
    if not queue.empty():
        return queue.get_nowait()
    await work
    return None


async def _bodies(
    first: _Encoded | None,
    queue: "asyncio.Queue[_Encoded]",
    work: "asyncio.Task[None]",
    charge: Charge,
) -> AsyncIterator[bytes]:
    event = first
    try:
        while event is not None:
            # Noted before: a client that leaves while it is being sent may have read it.
            charge.deliver(event.num_chars)
            yield event.body
            await charge.settle()
            event = await _next(queue, work)
    except ServiceError as error:
        yield _encoded("error", {"error": shortened(str(error)), "code": error.code})
    except ClientDisconnect:
        return
    except Exception:  # noqa: BLE001 - the status is sent: only an event can report it
        _log.exception("stream crashed")
        yield _encoded("error", {"error": INTERNAL_ERROR, "code": "internal"})
    finally:
        work.cancel()


def _encoded(name: str, content: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + json_bytes(content) + b"\n\n"
