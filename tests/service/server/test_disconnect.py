"""A request whose client leaves frees its slots within two steps."""

import asyncio
import json
import threading
from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from fastapi import FastAPI

from service.engine.graphs.sessions import Sessions
from service.observability.metrics import Metrics
from service.scheduling.job import Job
from tests.service.engine.spy import Tensors, spied
from tests.service.engine.tiny import GREEDY, alone
from tests.service.scheduling.workers.poison import POISON, POISON_LENGTH
from tests.service.scheduling.workers.single_loop import counted
from tests.service.server.faulty_service import serving
from tests.service.tiny_models import tiny_bundle
from tests.service.waiting import eventually

PATIENCE_S = 30
LEAVES_AT_STEP = 3
MOST_STEPS = 2
LONGEST = tuple(tiny_bundle().tokenizer.encode_source(POISON, tiny_bundle().manifest.pairs[0]))
NATIVE: dict[str, object] = {"q": POISON, "source": "en", "target": "de"}
REQUESTS: dict[str, tuple[str, dict[str, object]]] = {
    "one text": ("/translate", NATIVE),
    "a beam": ("/translate", {**NATIVE, "beam_size": 4}),
    "several texts": ("/translate", {**NATIVE, "q": [POISON] * 3 + [POISON + " " + POISON]}),
    "a stream": ("/translate", {**NATIVE, "stream": True}),
    "DeepLX": ("/deeplx", {"text": POISON, "source_lang": "EN", "target_lang": "DE"}),
    "DeepL": ("/v2/translate", {"text": [POISON], "source_lang": "EN", "target_lang": "DE"}),
}


@dataclass(slots=True, kw_only=True)
class Steps:
    """Counts the steps that the text takes part in, and stops in one of them."""

    num_steps: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def watch(self, sessions: Sessions) -> Sessions:
        watched, spy = spied(sessions)
        spy.before = self._before
        return watched

    def _before(self, tensors: Tensors) -> None:
        if POISON_LENGTH not in tensors["source_lengths"]:
            return
        self.num_steps += 1
        if self.num_steps == LEAVES_AT_STEP:
            self.reached.set()
            assert self.go_on.wait(PATIENCE_S)


class Client:
    """Sends a request and closes the connection when it is told to."""

    def __init__(self, path: str, body: dict[str, object]) -> None:
        self._messages = iter(
            [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
        )
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"content-type", b"application/json"), (b"host", b"test")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        self.leaves = asyncio.Event()

    async def receive(self) -> MutableMapping[str, Any]:
        for message in self._messages:
            return message
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """The client is gone."""


async def leave_in_the_middle(app: FastAPI, steps: Steps, client: Client) -> None:
    asking = asyncio.create_task(app(client.scope, client.receive, client.send))
    assert await asyncio.to_thread(steps.reached.wait, PATIENCE_S)
    client.leaves.set()
    await asyncio.wait([asking], timeout=PATIENCE_S)
    assert asking.done()


def test_the_translation_would_have_gone_on() -> None:
    generated = alone(LONGEST, GREEDY)[0].token_log_probs
    assert len(generated) > LEAVES_AT_STEP + MOST_STEPS + 1


@pytest.mark.parametrize("name", REQUESTS)
def test_leaving_client_frees_its_slots_within_two_steps(name: str) -> None:
    steps, metrics = Steps(), Metrics()
    with serving(steps.watch, metrics, num_workers=1) as app:
        client = Client(*REQUESTS[name])
        try:
            asyncio.run(leave_in_the_middle(app, steps, client))
        finally:
            steps.go_on.set()
        (model,) = app.state.parts.registry.models
        # Another job comes after it, and so what was left of it is over when that one has ended.
        other = Job(source_ids=LONGEST[:3] + LONGEST[-1:], options=replace(GREEDY))
        model.scheduler.submit(other).result(PATIENCE_S)
        assert steps.num_steps - LEAVES_AT_STEP + 1 <= MOST_STEPS
        eventually(lambda: not model.scheduler.is_busy)
    assert (counted(metrics, "slots_in_use"), counted(metrics, "queue_depth")) == (0, 0)
    assert counted(metrics, "cancelled_total", reason="client") >= 1
    assert counted(metrics, "in_flight") == 0
