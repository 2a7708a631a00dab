"""An answer in parts: server-sent events while the work goes on."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from service.api.in_flight import InFlight
from service.api.problems import INTERNAL_ERROR
from service.api.replies.json import json_bytes
from service.errors import ServiceError

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
"""OpenAPI 3.1 has no name for a sequence of events, so it is one of them that is described."""
_MAX_WAITING = 16
"""Events that wait for a client; one that reads slowly slows the work down, not memory up."""

_log = logging.getLogger(__name__)


async def event_stream(
    request: Request, in_flight: InFlight, contents: AsyncGenerator[tuple[str, object], None]
) -> Response:
    """A reply that sends each event when it is there.

    Args:
        request: Its body has been read; when its client leaves, the work ends.
        in_flight: The work counts as inside until the last event.
        contents: Name and content of each event. What goes wrong before the first one is raised,
            what goes wrong later is an event `error`, the last one.
    """
    waiting: asyncio.Queue[bytes] = asyncio.Queue(_MAX_WAITING)
    work = asyncio.create_task(in_flight.run(request, _fill(waiting, contents)))
    try:
        first = await _next(waiting, work)
    except BaseException:
        work.cancel()
        raise
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _events(first, waiting, work), media_type=EVENT_STREAM, headers=headers
    )


async def _fill(
    waiting: "asyncio.Queue[bytes]", contents: AsyncGenerator[tuple[str, object], None]
) -> None:
    async with aclosing(contents):
        async for name, content in contents:
            # With attention maps this takes a while, in which others must not wait.
            await waiting.put(await asyncio.to_thread(_event, name, content))


async def _next(waiting: "asyncio.Queue[bytes]", work: "asyncio.Task[None]") -> bytes | None:
    """The next event, None behind the last; raises what ended the work."""
    getting = asyncio.create_task(waiting.get())
    try:
        await asyncio.wait({getting, work}, return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            return getting.result()
    finally:
        getting.cancel()
    if not waiting.empty():
        return waiting.get_nowait()
    await work
    return None


async def _events(
    first: bytes | None, waiting: "asyncio.Queue[bytes]", work: "asyncio.Task[None]"
) -> AsyncIterator[bytes]:
    event = first
    try:
        while event is not None:
            yield event
            event = await _next(waiting, work)
    except ServiceError as error:
        yield _event("error", {"error": str(error), "code": error.code})
    except ClientDisconnect:
        return
    except Exception:  # noqa: BLE001 - the status is sent: an event is all that is left
        _log.exception("stream crashed")
        yield _event("error", {"error": INTERNAL_ERROR, "code": "internal"})
    finally:
        work.cancel()


def _event(name: str, content: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + json_bytes(content) + b"\n\n"
