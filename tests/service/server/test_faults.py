"""A model that fails on one text, as seen by its client, by the logs and by other clients."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray

from bundle.tensors import CANDIDATES_NAME, ENCODER_NAME
from service.engine.graphs.sessions import Sessions
from service.observability.metrics import Metrics
from tests.service.engine.spy import Tensors, spied
from tests.service.scheduling.workers.poison import POISON, POISON_LENGTH, TEXTS
from tests.service.scheduling.workers.single_loop import counted
from tests.service.server.faulty_service import serving

POISONED_ID = "poisoned-request"
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"beam_size": 4, "details": True},
    {"details": True},
    {"beam_size": 8, "alternatives": 3},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyEncoder:
    """The real encoder, but for one length."""

    real: Any
    fault: Callable[[list[NDArray[Any]]], list[NDArray[Any]]]

    def run(self, names: Sequence[str], feeds: dict[str, Any]) -> list[NDArray[Any]]:
        outputs: list[NDArray[Any]] = self.real.run(names, feeds)
        return self.fault(outputs) if POISON_LENGTH in feeds["source_lengths"] else outputs


def breaking_encoder(sessions: Sessions) -> Sessions:
    def break_down(_: list[NDArray[Any]]) -> list[NDArray[Any]]:
        raise RuntimeError("the encoder broke down")

    return sessions.with_session(
        ENCODER_NAME, FaultyEncoder(real=sessions.encoder, fault=break_down)
    )


def encoder_without_numbers(sessions: Sessions) -> Sessions:
    def spoil(outputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [np.full(output.shape, np.nan, dtype=np.float32) for output in outputs]

    return sessions.with_session(ENCODER_NAME, FaultyEncoder(real=sessions.encoder, fault=spoil))


def breaking_step(sessions: Sessions) -> Sessions:
    def before(tensors: Tensors) -> None:
        if POISON_LENGTH in tensors["source_lengths"]:
            raise RuntimeError("the step broke down")

    broken, spy = spied(sessions)
    spy.before = before
    return broken


def step_that_leaves_rubbish(sessions: Sessions) -> Sessions:
    """It fails after it has written into the rows of all sentences."""

    def after(tensors: Tensors) -> None:
        if POISON_LENGTH in tensors["source_lengths"]:
            for name, tensor in tensors.items():
                if name.startswith(("logits", "past", "cross")):
                    tensor[...] = 77
            raise RuntimeError("the step broke down")

    broken, spy = spied(sessions)
    spy.after = after
    return broken


def infinite_step(sessions: Sessions) -> Sessions:
    def after(tensors: Tensors) -> None:
        tensors["logits"][tensors["source_lengths"] == POISON_LENGTH, 5] = np.inf

    broken, spy = spied(sessions)
    spy.after = after
    return broken


def breaking_candidates(sessions: Sessions) -> Sessions:
    """The ranking of a beam fails for a batch that the text is in."""
    step = threading.local()
    broken, spy = spied(sessions)

    def before(tensors: Tensors) -> None:
        step.is_poisoned = POISON_LENGTH in tensors["source_lengths"]

    spy.before = before

    class FaultyCandidates:
        def io_binding(self) -> Any:  # noqa: ANN401 - onnxruntime's own
            return sessions.candidates.io_binding()

        def run_with_iobinding(self, binding: Any) -> None:  # noqa: ANN401 - onnxruntime's own
            if step.is_poisoned:
                raise RuntimeError("the ranking broke down")
            sessions.candidates.run_with_iobinding(binding)

    return broken.with_session(CANDIDATES_NAME, FaultyCandidates())


def step_without_numbers(sessions: Sessions) -> Sessions:
    def after(tensors: Tensors) -> None:
        tensors["logits"][tensors["source_lengths"] == POISON_LENGTH] = np.nan

    broken, spy = spied(sessions)
    spy.after = after
    return broken


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


@pytest.mark.parametrize(
    "fault",
    [
        breaking_encoder,
        encoder_without_numbers,
        breaking_step,
        step_that_leaves_rubbish,
        step_without_numbers,
        infinite_step,
    ],
)
def test_one_text_fails_and_everybody_else_is_served(
    fault: Callable[[Sessions], Sessions],
    expected: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    with (
        serving(fault, metrics) as app,
        caplog.at_level(logging.ERROR, logger="service.scheduling.workers.dispatcher"),
    ):
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


def test_sentence_that_fails_only_in_a_batch_is_translated_alone(expected: dict[str, Any]) -> None:
    metrics = Metrics()
    with serving(breaking_candidates, metrics) as app:
        replies = ask_all(app, TEXTS)
    assert [reply.json() for reply in replies] == [expected[text] for text in TEXTS]


def test_when_everything_fails_for_a_while_everybody_is_told_and_then_served(
    expected: dict[str, Any],
) -> None:
    is_down = threading.Event()

    def before(_: Tensors) -> None:
        if is_down.is_set():
            raise RuntimeError("the step broke down")

    def failing_at_times(sessions: Sessions) -> Sessions:
        broken, spy = spied(sessions)
        spy.before = before
        return broken

    metrics = Metrics()
    with serving(failing_at_times, metrics) as app:
        for _ in range(2):
            is_down.set()
            assert {reply.status_code for reply in ask_all(app, TEXTS)} == {500}
            is_down.clear()
            again = ask_all(app, TEXTS)
            assert [reply.json() for reply in again] == [expected[text] for text in TEXTS]
    assert (counted(metrics, "slots_in_use"), counted(metrics, "queue_depth")) == (0, 0)
