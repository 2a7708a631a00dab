"""A request takes few turns of the event loop: each is behind the work of all others."""

import asyncio
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

import uvicorn

from service.observability.metrics import Metrics
from service.server.connection import connections
from service.server.uvicorn_server import bind
from tests.service.api.fakes import UpperCaser, app_with, parts_of

NUM_REQUESTS = 40
BODY = json.dumps({"q": "hello", "source": "en", "target": "de"})


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts its turns and tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.set_task_factory(self._task)  # type: ignore[arg-type] # the protocol is generic

    def _run_once(self) -> None:
        self.counts["turns"] += 1
        super()._run_once()  # type: ignore[misc] # asyncio's own

    def _task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any],
        context: Context | None = None,
    ) -> "asyncio.Task[Any]":
        self.counts["tasks"] += 1
        return asyncio.Task(work, loop=loop, context=context)


class Served:
    """A server of an app without models, in a thread of its own."""

    def __init__(self) -> None:
        app = app_with(UpperCaser())
        parts = parts_of(app)
        connect = connections(parts.settings, Metrics(), parts.request_limit, parts.held_bytes)
        config = uvicorn.Config(app, http=connect, lifespan="off", log_config=None)  # type: ignore[arg-type]
        self.loop = CountingLoop()
        self._server = uvicorn.Server(config)
        self._listener = bind("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Served":
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._server.serve(sockets=[self._listener]))
        asyncio.set_event_loop(None)


def _ask(client: http.client.HTTPConnection) -> None:
    client.request("POST", "/translate", BODY, {"Content-Type": "application/json"})
    reply = client.getresponse()
    assert (reply.status, json.loads(reply.read())) == (200, {"translatedText": "HELLO"})


def test_short_request_is_one_task_and_few_turns() -> None:
    with Served() as served:
        client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        _ask(client)
        before = served.loop.counts.copy()
        for _ in range(NUM_REQUESTS):
            _ask(client)
        client.close()
        after = served.loop.counts.copy()
    assert after["tasks"] - before["tasks"] == NUM_REQUESTS
    # The packet, the task and its end; uvicorn looks around ten times a second.
    assert after["turns"] - before["turns"] <= 5 * NUM_REQUESTS
