"""The description of the API, as /openapi.json sends it."""

import asyncio
from functools import partial

from fastapi import FastAPI
from fastapi.responses import JSONResponse


class ApiDescription:
    """Made once, at the first request and in a thread: it takes a tenth of a second."""

    def __init__(self) -> None:
        self._making: asyncio.Future[bytes] | None = None

    async def body(self, app: FastAPI) -> bytes:
        """The description as JSON."""
        if self._making is None:
            self._making = asyncio.ensure_future(asyncio.to_thread(partial(_described, app)))
        return await asyncio.shield(self._making)


def _described(app: FastAPI) -> bytes:
    return bytes(JSONResponse(app.openapi()).body)
