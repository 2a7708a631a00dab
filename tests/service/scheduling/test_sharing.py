"""Equal requests at the same time, and again: seen from their clients."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.server.app import create_app, registry_options
from service.settings import load_settings
from tests.service.scheduling.workers.poison import TEXTS
from tests.service.scheduling.workers.single_loop import counted
from tests.service.tiny_models import TINY_BUNDLE

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
    metrics = Metrics()
    given = load_settings({"workers": "1", **settings})
    registry = Registry.open([TINY_BUNDLE], registry_options(given), metrics)
    app = create_app(given, registry, metrics)
    for model in registry.models:
        model.scheduler.start()
    try:
        first, second = asyncio.run(send_twice(app, bodies))
    finally:
        registry.close()
    return first, second, metrics


async def send_twice(
    app: FastAPI, bodies: Sequence[dict[str, Any]]
) -> tuple[list[httpx.Response], list[httpx.Response]]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
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
    replies, _, metrics = ask(asked)
    assert contents(replies) == [reply for reply in expected for _ in range(NUM_CLIENTS)]
    num_runs = counted(metrics, "finish_total", reason="stop")
    num_runs += counted(metrics, "finish_total", reason="length")
    assert num_runs <= 2 * len(KINDS)
    assert counted(metrics, "shared_runs_total") == 2 * len(asked) - num_runs


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
