"""A cheap keep-alive HTTP connection, so that the server is measured and not the client."""

import asyncio
import json
import re
from types import TracebackType
from typing import Self


class Connection:
    """One client, with one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self.stages: dict[str, float] = {}
        """Seconds of each stage of the last call, as `Server-Timing` has them."""

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def post(self, path: str, content: object) -> tuple[int, bytes]:
        """Send `content` as JSON; returns status and body."""
        body = json.dumps(content).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        await self._writer.drain()
        return await self._reply()

    async def _reply(self) -> tuple[int, bytes]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status_line, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        found = re.findall(r"([\w-]+);dur=([\d.]+)", headers.get("server-timing", ""))
        self.stages = {name: float(milliseconds) / 1000 for name, milliseconds in found}
        body = await self._reader.readexactly(int(headers["content-length"]))
        return int(status_line.split(" ")[1]), body
