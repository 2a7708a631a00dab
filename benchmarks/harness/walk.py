"""How often a request passes from one file of the service to another.

Calls of named functions on the event loop's thread are recorded with `sys.setprofile`, while the
application answers one request in this process; each change of file between two calls is a move.
Resumed coroutines count as calls. Engine threads, libraries, comprehensions and the timer that
measures the loop do not count.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

from fastapi import FastAPI

from service.observability.metrics import Metrics
from service.server.app import create_app
from service.server.parts import open_registry
from service.settings import load_settings

SERVICE = Path(__file__).parents[2] / "service"
REQUESTS = {
    "plain": {"q": "The weather is nice today.", "format": "text"},
    "html": {"q": "<p>The weather is <b>nice</b> &amp; warm today.</p>", "format": "html"},
}
_TIMER = "server/loop_lag.py"
"""Runs beside a request, more often the slower the machine is."""

Call = tuple[str, str]
"""A file, relative to the recorded folder, and the function called in it."""
Message = MutableMapping[str, Any]


@contextmanager
def recorded_calls(folder: Path = SERVICE) -> Iterator[list[Call]]:
    """Records calls of a folder's functions on this thread while the context lasts."""
    calls: list[Call] = []
    prefix = f"{folder}/"

    def on_event(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        is_ours = event == "call" and code.co_filename.startswith(prefix)
        if is_ours and not code.co_name.startswith("<"):
            calls.append((code.co_filename.removeprefix(prefix), code.co_qualname))

    sys.setprofile(on_event)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def num_moves(calls: list[Call]) -> int:
    """Changes of file between one call and the next."""
    return max(0, len(list(groupby(calls, key=lambda call: call[0]))) - 1)


async def post(app: FastAPI, path: str, body: object) -> bytes:
    """Sends one request to an application in this process, as a server would.

    Raises:
        RuntimeError: The status is not 200.
    """
    replies: list[Message] = []
    content = json.dumps(body).encode()
    requests = iter([{"type": "http.request", "body": content, "more_body": False}])
    is_answered = asyncio.Event()

    async def receive() -> Message:
        if (message := next(requests, None)) is not None:
            return message
        await is_answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        replies.append(message)

    await app(_scope(path, len(content)), receive, send)
    is_answered.set()
    if replies[0]["status"] != 200:
        raise RuntimeError(f"{path} answers {replies[0]['status']}: {replies[1]['body']!r}")
    return b"".join(reply.get("body", b"") for reply in replies[1:])


def _scope(path: str, size: int) -> Message:
    headers = [
        (b"host", b"localhost"),
        (b"content-type", b"application/json"),
        (b"content-length", str(size).encode()),
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }


async def walks(app: FastAPI, source: str, target: str) -> dict[str, list[Call]]:
    """The calls of each of `REQUESTS`, after a first one of its kind that is not recorded."""
    found: dict[str, list[Call]] = {}
    async with app.router.lifespan_context(app):
        for name, parameters in REQUESTS.items():
            body = {**parameters, "source": source, "target": target}
            await post(app, "/translate", body)
            await _settled()
            with recorded_calls() as calls:
                await post(app, "/translate", body)
            found[name] = [call for call in calls if call[0] != _TIMER]
    return found


async def _settled() -> None:
    """Lets tasks that a reply leaves behind end, such as its watch for a disconnect."""
    for _ in range(4):
        await asyncio.sleep(0)


def walked(bundle: Path, source: str, target: str) -> dict[str, list[Call]]:
    """The same with a bundle of its own, opened and closed."""
    settings = load_settings({"bundles": str(bundle), "workers": "1"})
    metrics = Metrics()
    app = create_app(settings, open_registry(settings, metrics), metrics)
    return asyncio.run(walks(app, source, target))


def _rooms(calls: list[Call]) -> list[Call]:
    return [(file.split("/")[0], function) for file, function in calls]


def main() -> None:
    """Prints the moves of each request, and on demand the files in order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"))
    parser.add_argument("--trail", action="store_true", help="print each file and what it runs")
    arguments = parser.parse_args()
    for name, calls in walked(arguments.bundle, "en", "de").items():
        inside = [call for call in calls if not call[0].startswith("api/")]
        print(
            f"{name:6} {num_moves(calls):4} moves between files, {num_moves(_rooms(calls))} "
            f"between rooms; {num_moves(inside)} between files outside of api/"
        )
        if arguments.trail:
            _print_trail(calls, print)


def _print_trail(calls: list[Call], write: Callable[[str], None]) -> None:
    for file, group in groupby(calls, key=lambda call: call[0]):
        write(f"  {file:42} {' '.join(function for _, function in group)}")


if __name__ == "__main__":
    main()
