"""Replies as server-sent events while the work goes on."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from service.api.in_flight import InFlight
from service.api.problems import INTERNAL_ERROR, shortened
from service.api.replies.json import json_bytes
from service.errors import ServiceError
from service.scheduling.limits import Client

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


async def event_stream(
    request: Request,
    client: Client,
    in_flight: InFlight,
    contents: AsyncGenerator[tuple[str, object], None],
) -> Response:
    """A reply that sends each event as soon as it is produced.

    Args:
        request: Its body has been read; the work is cancelled when the client leaves.
        client: Sends the request.
        in_flight: Counts the work until the last event.
        contents: Name and content of each event. An error before the first event is raised, a
            later one becomes a last event `error`.
    """
    queue: asyncio.Queue[bytes] = asyncio.Queue(_MAX_QUEUED_EVENTS)
    work = asyncio.create_task(in_flight.run(request, client, _fill(queue, contents)))
    try:
        first = await _next(queue, work)
    except BaseException:
        work.cancel()
        raise
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(first, queue, work), media_type=EVENT_STREAM, headers=headers)


async def _fill(
    queue: "asyncio.Queue[bytes]", contents: AsyncGenerator[tuple[str, object], None]
) -> None:
    async with aclosing(contents):
        async for name, content in contents:
            # In a thread: attention maps take long to serialise.
            await queue.put(await asyncio.to_thread(_event, name, content))


async def _next(queue: "asyncio.Queue[bytes]", work: "asyncio.Task[None]") -> bytes | None:
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


async def _events(
    first: bytes | None, queue: "asyncio.Queue[bytes]", work: "asyncio.Task[None]"
) -> AsyncIterator[bytes]:
    event = first
    try:
        while event is not None:
            yield event
            event = await _next(queue, work)
    except ServiceError as error:
        yield _event("error", {"error": shortened(str(error)), "code": error.code})
    except ClientDisconnect:
        return
    except Exception:  # noqa: BLE001 - the status is sent: only an event can report it
        _log.exception("stream crashed")
        yield _event("error", {"error": INTERNAL_ERROR, "code": "internal"})
    finally:
        work.cancel()


def _event(name: str, content: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + json_bytes(content) + b"\n\n"
