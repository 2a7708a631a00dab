"""Forms are read in memory, and leave turns of the event loop to others."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest
from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.types import Message

from service.api.requests.multipart_form import MAX_PART_BYTES, PIECE_BYTES, multipart_form
from service.errors import InvalidRequestError

FIELD = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
END = b"--x--\r\n"
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n%b\r\n'
CHUNK_BYTES = 65_536


def _request(body: bytes) -> Request:
    chunks = [body[i : i + CHUNK_BYTES] for i in range(0, len(body), CHUNK_BYTES)]

    async def receive() -> Message:
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def _turns_of(work: Coroutine[Any, Any, None]) -> int:
    """Turns of the event loop that others get meanwhile."""
    task = asyncio.ensure_future(work)
    num_turns = 0
    while not task.done():
        num_turns += 1
        await asyncio.sleep(0)
    await task
    return num_turns


def test_a_file_of_megabytes_needs_no_thread() -> None:
    async def read() -> tuple[bytes, int]:
        before = threading.active_count()
        async with multipart_form(
            _request(FILE % (b"ab\r\n" * 600_000) + END), max_fields=9
        ) as form:
            file = form["file"]
            assert isinstance(file, UploadFile)
            return await file.read(), threading.active_count() - before

    data, num_threads = asyncio.run(read())
    assert data == b"ab\r\n" * 600_000
    assert num_threads == 0


def test_a_form_that_was_read_before_is_parsed_piece_by_piece() -> None:
    body = FIELD * (2 * MAX_PART_BYTES // len(FIELD)) + END

    async def parse() -> None:
        request = _request(body)
        await request.body()
        async with multipart_form(request, max_fields=len(body)) as form:
            assert len(form.multi_items()) == 2 * MAX_PART_BYTES // len(FIELD)

    assert asyncio.run(_turns_of(parse())) >= len(body) // PIECE_BYTES


def test_what_has_no_end_is_refused() -> None:
    async def parse(body: bytes) -> None:
        async with multipart_form(_request(body), max_fields=1):
            pass

    for body in (FIELD * 2 + END, FILE % b"a" * 2 + END, b"nothing of the kind"):
        with pytest.raises(InvalidRequestError):
            asyncio.run(parse(body))
