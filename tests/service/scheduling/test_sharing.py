"""Equal requests at the same time, and again: seen from their clients."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.scheduling.scheduler import Scheduler
from service.server.app import create_app
from service.server.parts import registry_options
from service.settings import load_settings
from tests.service.scheduling.workers.poison import TEXTS
from tests.service.scheduling.workers.single_loop import counted
from tests.service.tiny_models import TINY_BUNDLE
from tests.service.waiting import eventually

NUM_CLIENTS = 12
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"details": True},
    {"beam_size": 4, "details": True},
    {"alternatives": 3},
    {"max_length_factor": 0.5, "details": True},
)
TIMES = ("queue", "encode", "decode")


def ask(
    bodies: Sequence[dict[str, Any]], **settings: str
) -> tuple[list[httpx.Response], list[httpx.Response], Metrics]:
    """Replies to all bodies at once, to all once more, and what was counted."""
    with service(**settings) as (app, scheduler, metrics):
        scheduler.start()
        first, second = asyncio.run(send_twice(app, bodies))
    return first, second, metrics


@contextmanager
def service(**settings: str) -> Iterator[tuple[FastAPI, Scheduler, Metrics]]:
    """An app over the tiny bundle, and the scheduler that it waits for."""
    metrics = Metrics()
    given = load_settings({"engines": "0", "workers": "1", **settings})
    registry = Registry.open([TINY_BUNDLE], registry_options(given), metrics)
    (model,) = registry.models
    try:
        yield create_app(given, registry, metrics), model.scheduler, metrics
    finally:
        registry.close()


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


async def send_twice(
    app: FastAPI, bodies: Sequence[dict[str, Any]]
) -> tuple[list[httpx.Response], list[httpx.Response]]:
    async with client_of(app) as client:
        rounds = [
            await asyncio.gather(*(client.post("/translate", json=body) for body in bodies))
            for _ in range(2)
        ]
    return rounds[0], rounds[1]


def body(text: str, **options: object) -> dict[str, Any]:
    return {"q": text, "source": "en", "target": "de", **options}


def contents(replies: Sequence[httpx.Response]) -> list[object]:
    assert {reply.status_code for reply in replies} == {200}
    return [reply.json() for reply in replies]


def milliseconds(reply: httpx.Response) -> dict[str, float]:
    stages = (stage.split(";dur=") for stage in reply.headers["Server-Timing"].split(", "))
    return {name: float(value) for name, value in stages}


@pytest.fixture(scope="module")
def expected() -> list[object]:
    """What each kind gives where nothing is shared."""
    replies, again, _ = ask([body(TEXTS[0], **kind) for kind in KINDS], share_runs="false")
    assert contents(replies) == contents(again)
    return contents(replies)


def test_equal_requests_that_come_together_are_one_run_each_kind(expected: list[object]) -> None:
    asked = [body(TEXTS[0], **kind) for kind in KINDS for _ in range(NUM_CLIENTS)]
    num_shared = len(asked) - len(KINDS)

    async def send_together() -> list[httpx.Response]:
        async with client_of(app) as client:
            sent = [asyncio.create_task(client.post("/translate", json=each)) for each in asked]
            await asyncio.to_thread(
                eventually, lambda: counted(metrics, "shared_runs_total") == num_shared
            )
            scheduler.start()  # before that nothing can end, however slowly the others come
            return await asyncio.gather(*sent)

    with service() as (app, scheduler, metrics):
        replies = asyncio.run(send_together())
    assert contents(replies) == [reply for reply in expected for _ in range(NUM_CLIENTS)]
    num_runs = counted(metrics, "finish_total", reason="stop")
    num_runs += counted(metrics, "finish_total", reason="length")
    assert num_runs == len(KINDS)
    assert counted(metrics, "shared_runs_total") == num_shared


def test_a_cached_result_gives_the_same_reply_without_a_run(expected: list[object]) -> None:
    asked = [body(TEXTS[0], **kind) for kind in KINDS]
    first, second, metrics = ask(asked, result_cache_bytes="1000000", share_runs="false")
    assert contents(first) == contents(second) == expected
    assert {milliseconds(reply)[stage] for reply in second for stage in TIMES} == {0.0}
    assert counted(metrics, "cache_hits_total") >= len(KINDS)


def test_nothing_is_cached_by_default() -> None:
    _, second, metrics = ask([body(TEXTS[0])])
    assert milliseconds(second[0])["decode"] > 0
    assert counted(metrics, "cache_hits_total") == counted(metrics, "cache_misses_total") == 0


def test_a_small_cache_keeps_the_most_recent_results() -> None:
    asked = [body(text) for text in TEXTS]
    _, second, metrics = ask(asked, result_cache_bytes="5000")
    assert {reply.status_code for reply in second} == {200}
    assert (
        counted(metrics, "cache_hits_total") < len(TEXTS) < counted(metrics, "cache_misses_total")
    )
