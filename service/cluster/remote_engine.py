"""An engine seen from the door: deadlines, and another replica where one is lost."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from service.cluster.call import Call, Channel, LostEngineError, RequestT
from service.errors import DeadlineExceededError, NotReadyError, ServiceError
from service.inspection.values import AttentionRequest, InspectedPair, ScoredPair, ScoreRequest
from service.observability.clock import Clock
from service.observability.logs import REQUEST_ID, TRACE_ID
from service.observability.metrics import Metrics
from service.translation.values import StreamedSentence, TranslateRequest, TranslateResult

MAX_TRIES = 4
"""Replicas that a call may be lost with. A node takes several down at once; but a call that itself
brings them down must not go through them all."""


class RemoteEngine:
    """Runs calls to their end: a translation changes nothing, so it may be done twice."""

    def __init__(self, channel: Channel, metrics: Metrics, clock: Clock = time.monotonic) -> None:
        self._channel = channel
        self._metrics = metrics
        self._clock = clock

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        """As `Translator.translate`, of one language.

        Raises:
            ServiceError: What the engine says, or that there is none that answers.
        """
        result: TranslateResult = await self._ask("translate", request)
        return result

    async def attention(self, request: AttentionRequest) -> list[InspectedPair]:
        """As `Translator.attention`; raises likewise."""
        pairs: list[InspectedPair] = await self._ask("attention", request)
        return pairs

    async def score(self, request: ScoreRequest) -> list[ScoredPair]:
        """As `Translator.score`; raises likewise."""
        scored: list[ScoredPair] = await self._ask("score", request)
        return scored

    async def fault(self) -> str | None:
        """Why a replica cannot serve, None if it can.

        Raises:
            LostEngineError: It has gone.
        """
        fault: str | None = await self._channel.ask("fault")
        return fault

    async def stream(self, request: TranslateRequest) -> AsyncIterator[StreamedSentence]:
        """As `Translator.stream`; raises likewise.

        The replica that takes over from a lost one gives the same parts, whatever it translates
        beside them: those that were sent are left out.
        """
        num_sent = 0
        for _ in range(MAX_TRIES):
            try:
                async for part in self._parts(request, num_sent):
                    num_sent += 1
                    yield part
            except LostEngineError:
                self._metrics.lost_calls.inc()
            else:
                return
        raise _lost()

    async def _parts(
        self, request: TranslateRequest, num_sent: int
    ) -> AsyncIterator[StreamedSentence]:
        parts = aiter(self._channel.stream("stream", _call(request)))
        while True:
            try:
                part = await _within(request.timeout_s, anext(parts))
            except StopAsyncIteration:
                return
            if num_sent:
                num_sent -= 1
            else:
                yield _value(part)

    async def _ask(self, method: str, request: RequestT) -> Any:  # noqa: ANN401 - as the method
        until_s = None if request.timeout_s is None else self._clock() + request.timeout_s
        for _ in range(MAX_TRIES):
            left_s = None if until_s is None else max(0.0, until_s - self._clock())
            call = _call(replace(request, timeout_s=left_s))
            try:
                return _value(await _within(left_s, self._channel.ask(method, call)))
            except LostEngineError:
                self._metrics.lost_calls.inc()
        raise _lost()


def _call(request: RequestT) -> Call[RequestT]:
    return Call(request=request, request_id=REQUEST_ID.get(), trace_id=TRACE_ID.get())


def _value(answer: Any) -> Any:  # noqa: ANN401 - whatever the method gives
    if isinstance(answer, ServiceError):
        raise answer
    return answer


async def _within(timeout_s: float | None, answer: Any) -> Any:  # noqa: ANN401 - likewise
    """The answer, unless it comes too late: an engine counts only from when it has the call."""
    try:
        async with asyncio.timeout(timeout_s):
            return await answer
    except TimeoutError as error:
        raise DeadlineExceededError("the deadline passed before the translation") from error


def _lost() -> NotReadyError:
    return NotReadyError(f"{MAX_TRIES} engines were lost with this request: send it again")
