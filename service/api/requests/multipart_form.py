"""Reads multipart forms, in memory and piece by piece.

Starlette spools files to disk from their second megabyte on, in a thread that takes each packet:
hundreds of switches of threads for a file, which the event loop waits for as well.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from fastapi import Request
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser

from service.errors import InvalidRequestError

MAX_MEMORY_BYTES = 16_777_216
"""Of a file: a larger one is spooled to disk. Bodies count in `HeldBytes` in either case."""
MAX_PART_BYTES = 131_072
"""Of a body as it arrives: what is larger was read before, all of it."""
PIECE_BYTES = 16_384
"""Of such a body, parsed in a turn of the event loop: two hundred small fields, 2 ms."""


class _Parser(MultiPartParser):
    """Starlette's, with more room in memory."""

    spool_max_size = MAX_MEMORY_BYTES


@asynccontextmanager
async def multipart_form(request: Request, *, max_fields: int) -> AsyncIterator[FormData]:
    """The form of a request whose body is multipart, while the context lasts; one file at most.

    Raises:
        InvalidRequestError: It is no such form, or has too many fields or files.
    """
    async with aclosing(_pieces(request)) as pieces:
        parser = _Parser(request.headers, pieces, max_files=1, max_fields=max_fields)
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise InvalidRequestError(f"Invalid request: {error.message}") from None
    try:
        yield form
    finally:
        await form.close()


async def _pieces(request: Request) -> AsyncGenerator[bytes, None]:
    """The body as it arrives, or in pieces, each in a turn of its own, where it has been read."""
    async with aclosing(request.stream()) as stream:
        async for received in stream:
            if len(received) <= MAX_PART_BYTES:
                yield received
                continue
            for start in range(0, len(received), PIECE_BYTES):
                yield received[start : start + PIECE_BYTES]
                await asyncio.sleep(0)
