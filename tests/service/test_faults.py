"""A model that fails on one text: seen from a client, from the logs and from everybody else."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from service.app import create_app
from service.engine.sessions import Sessions
from service.registry import Registry, RegistryOptions
from service.scheduler import Scheduler, SchedulerOptions
from service.settings import load_settings
from service.telemetry import Metrics
from tests.data.toy_language import sentence_pairs
from tests.service.engine.spy import Tensors, spied
from tests.service.models import TINY_BUNDLE, tiny_bundle
from tests.service.single_worker import counted

POISONED_ID = "poisoned-request"
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"beam_size": 4, "details": True},
    {"details": True},
    {"beam_size": 8, "alternatives": 3},
)


def texts_and_poison(count: int) -> tuple[list[str], str, int]:
    """Texts, one among them, and its tokens, which no other text has as many of."""
    bundle = tiny_bundle()
    pair = bundle.manifest.pairs[0]
    by_length: dict[int, list[str]] = {}
    for text, _ in sentence_pairs(200, seed=3):
        by_length.setdefault(len(bundle.tokenizer.encode_source(text, pair)), []).append(text)
    length = max(by_length)
    poison = by_length.pop(length)[0]
    texts = [text for alike in by_length.values() for text in alike][: count - 1]
    return [*texts[: count // 2], poison, *texts[count // 2 :]], poison, length


TEXTS, POISON, POISON_LENGTH = texts_and_poison(24)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyEncoder:
    """The real encoder, but for one length."""

    real: Any

    def run(self, names: Sequence[str], feeds: dict[str, Any]) -> Any:  # noqa: ANN401 - arrays
        if POISON_LENGTH in feeds["source_lengths"]:
            raise RuntimeError("the encoder broke down")
        return self.real.run(names, feeds)


def breaking_encoder(sessions: Sessions) -> Sessions:
    return replace(sessions, encoder=FaultyEncoder(real=sessions.encoder))


def breaking_step(sessions: Sessions) -> Sessions:
    def before(tensors: Tensors) -> None:
        if POISON_LENGTH in tensors["source_lengths"]:
            raise RuntimeError("the step broke down")

    broken, spy = spied(sessions)
    spy.before = before
    return broken


def step_without_numbers(sessions: Sessions) -> Sessions:
    def after(tensors: Tensors) -> None:
        tensors["logits"][tensors["source_lengths"] == POISON_LENGTH] = np.nan

    broken, spy = spied(sessions)
    spy.after = after
    return broken


@contextmanager
def serving(broken: Callable[[Sessions], Sessions], metrics: Metrics) -> Iterator[FastAPI]:
    """The whole app, two workers, on a model with a fault."""
    options = SchedulerOptions(num_workers=2, slots_per_worker=16)
    (model,) = Registry.open([TINY_BUNDLE], RegistryOptions(scheduler=options), metrics).models
    sessions = broken(model.sessions)
    scheduler = Scheduler(sessions, options, metrics)
    registry = Registry([replace(model, sessions=sessions, scheduler=scheduler)])
    scheduler.start()
    try:
        yield create_app(load_settings({}), registry, metrics)
    finally:
        registry.close()


def ask_all(app: FastAPI, texts: Sequence[str]) -> list[httpx.Response]:
    """Ask for every text at the same time, in turn greedily and by beams."""

    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            requests = [
                client.post(
                    "/translate",
                    json={"q": text, "source": "en", "target": "de", **KINDS[i % len(KINDS)]},
                    headers={"X-Request-Id": POISONED_ID if text == POISON else f"request-{i}"},
                )
                for i, text in enumerate(texts)
            ]
            return await asyncio.gather(*requests)

    return asyncio.run(send())


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What a model without fault gives."""
    with serving(lambda sessions: sessions, Metrics()) as app:
        return {text: reply.json() for text, reply in zip(TEXTS, ask_all(app, TEXTS), strict=True)}


@pytest.mark.parametrize("fault", [breaking_encoder, breaking_step, step_without_numbers])
def test_one_text_fails_and_everybody_else_is_served(
    fault: Callable[[Sessions], Sessions],
    expected: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    with serving(fault, metrics) as app, caplog.at_level(logging.ERROR, logger="service.worker"):
        replies = ask_all(app, TEXTS)
        for text, reply in zip(TEXTS, replies, strict=True):
            if text == POISON:
                assert reply.status_code == 500
                assert reply.json()["code"] == "translation_failed"
                assert reply.headers["X-Request-Id"] == POISONED_ID
            else:
                assert (reply.status_code, reply.json()) == (200, expected[text])
        # The workers live on.
        again = ask_all(app, TEXTS[:4])
        assert [reply.json() for reply in again] == [expected[text] for text in TEXTS[:4]]
    (failed,) = [record for record in caplog.records if record.getMessage() == "job failed"]
    assert vars(failed)["request_id"] == POISONED_ID
    assert vars(failed)["source_tokens"] == POISON_LENGTH
    assert POISON not in str(vars(failed))
    assert counted(metrics, "slots_in_use") == 0
