"""An engine as the gateway sees it: deadlines, retries on another replica, health and languages."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from bundle.reader import Bundle
from service.errors import NotReadyError, ReloadRefusedError, ServiceError
from service.inspection.values import AttentionRequest, InspectedPair, ScoredPair, ScoreRequest
from service.models.reload import Reload
from service.models.routes import Routes
from service.observability.clock import Clock
from service.observability.logs import REQUEST_ID, TRACE_ID
from service.observability.metrics import Metrics
from service.scheduling.deadline import deadline
from service.translation.values import StreamedSentence, TranslateRequest, TranslateResult

MAX_ATTEMPTS = 4
"""Replicas on which a request is tried. One node may take several replicas down with it, but a
request that crashes its replica must not crash all of them."""
PROBE_INTERVAL_S = 2.0
"""Minimum age of a health report before the next probe."""
PROBE_TIMEOUT_S = 5.0

RequestT = TypeVar("RequestT", bound=TranslateRequest | AttentionRequest | ScoreRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEnvelope(Generic[RequestT]):
    """A request with the ids that the engine's logs carry."""

    request: RequestT
    request_id: str | None
    trace_id: str | None


class LostEngineError(Exception):
    """The replica that was processing a request is gone, and its answer with it."""


class Transport(Protocol):
    """Remote procedure calls to the engine of one bundle, on any of its replicas.

    Methods are those of `service.cluster.engine.Engine`. Cancelling the awaiting task cancels the
    remote call.
    """

    async def ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - as the method
        """Returns the answer of a method.

        Raises:
            LostEngineError: The replica is gone.
        """

    def stream(self, method: str, *arguments: object) -> AsyncIterator[Any]:
        """Yields the answers of a streaming method.

        Raises:
            LostEngineError: The replica is gone.
        """


class RemoteEngine:
    """Sends requests to one engine, and again to another replica when the first is lost."""

    def __init__(
        self, transport: Transport, metrics: Metrics, clock: Clock = time.monotonic
    ) -> None:
        self._transport = transport
        self._metrics = metrics
        self._clock = clock

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        """As `Translator.translate`, for texts in one language.

        Raises:
            ServiceError: The engine refused the request, or no replica answered.
        """
        result: TranslateResult = await self._ask("translate", request)
        return result

    async def attention(self, request: AttentionRequest) -> list[InspectedPair]:
        """As `Translator.attention`; raises as `translate` does."""
        pairs: list[InspectedPair] = await self._ask("attention", request)
        return pairs

    async def score(self, request: ScoreRequest) -> list[ScoredPair]:
        """As `Translator.score`; raises as `translate` does."""
        scored: list[ScoredPair] = await self._ask("score", request)
        return scored

    async def fault(self) -> str | None:
        """Why a replica cannot serve; None if it can.

        Raises:
            LostEngineError: The replica is gone.
        """
        fault: str | None = await self._transport.ask("fault")
        return fault

    async def stream(self, request: TranslateRequest) -> AsyncIterator[StreamedSentence]:
        """As `Translator.stream`; raises as `translate` does.

        Results do not depend on the batch, so a second replica yields the same parts as the lost
        one: parts already sent are skipped.
        """
        num_sent = 0
        for _ in range(MAX_ATTEMPTS):
            try:
                async for part in self._parts(request, num_sent):
                    num_sent += 1
                    yield part
            except LostEngineError:
                self._metrics.lost_calls.inc()
            else:
                return
        raise _all_lost()

    async def _parts(
        self, request: TranslateRequest, num_skipped: int
    ) -> AsyncIterator[StreamedSentence]:
        parts = aiter(self._transport.stream("stream", _envelope(request)))
        while True:
            try:
                part = await _within(request.timeout_s, anext(parts))
            except StopAsyncIteration:
                return
            if num_skipped:
                num_skipped -= 1
            else:
                yield _value(part)

    async def _ask(self, method: str, request: RequestT) -> Any:  # noqa: ANN401 - as the method
        deadline_s = None if request.timeout_s is None else self._clock() + request.timeout_s
        for _ in range(MAX_ATTEMPTS):
            left_s = None if deadline_s is None else max(0.0, deadline_s - self._clock())
            envelope = _envelope(replace(request, timeout_s=left_s))
            try:
                return _value(await _within(left_s, self._transport.ask(method, envelope)))
            except LostEngineError:
                self._metrics.lost_calls.inc()
        raise _all_lost()


class RemoteModel:
    """A served bundle, its engine, and the engine's health as last probed; for one event loop."""

    def __init__(
        self,
        bundle: Bundle,
        engine: RemoteEngine,
        clock: Clock = time.monotonic,
        *,
        timeout_s: float = PROBE_TIMEOUT_S,
    ) -> None:
        self.bundle = bundle
        self.engine = engine
        self._clock = clock
        self._timeout_s = timeout_s
        self._probe: asyncio.Task[None] | None = None
        self._probed_s: float | None = None
        self._fault: str | None = "no engine has answered yet"

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.bundle.manifest.name

    @property
    def fault(self) -> str | None:
        """Why the engine cannot serve, as last probed; None if it can."""
        return self._fault

    def check(self) -> None:
        """Start a probe, unless one is running or the last report is recent."""
        is_running = self._probe is not None and not self._probe.done()
        is_recent = self._probed_s is not None and self._clock() - self._probed_s < PROBE_INTERVAL_S
        if not is_running and not is_recent:
            self._probed_s = self._clock()
            self._probe = asyncio.create_task(self.probe())

    async def probe(self) -> None:
        """Ask an engine for its health now."""
        try:
            async with asyncio.timeout(self._timeout_s):
                self._fault = await self.engine.fault()
        except TimeoutError:
            self._fault = f"no engine has answered within {self._timeout_s:g} s"
        except LostEngineError:
            pass  # the last report stands: the next probe reaches another replica


class RemoteRegistry:
    """The models of a cluster by language pair; starts and stops no engine."""

    def __init__(self, models: Sequence[RemoteModel]) -> None:
        self.models = tuple(models)
        self._by_pair = {
            (pair.source, pair.target): model
            for model in models
            for pair in model.bundle.manifest.pairs
        }
        # Engines do not call each other, so there is no translation through a third language.
        self.routes = Routes(self._by_pair, pivots=False)
        self._is_open = True

    @property
    def is_busy(self) -> bool:
        """Always False: sentences are translated in other processes."""
        return False

    def find(self, source: str, target: str) -> RemoteModel:
        """The model for a language pair; letter case is ignored.

        Raises:
            UnsupportedLanguageError: There is none; the message names the unsupported language.
        """
        found = self._by_pair.get((source.lower(), target.lower()))
        if found is None:
            raise self.routes.unsupported(source, target)
        return found

    def unready_reason(self) -> str | None:
        """Why this gateway should get no requests, None if it should; also starts due probes."""
        if not self._is_open:
            return "the service is shutting down"
        for model in self.models:
            model.check()
        faults = [f"{model.name}: {fault}" for model in self.models if (fault := model.fault)]
        return "; ".join(faults) or None

    def start(self) -> None:
        """Nothing to start: engines start by themselves, and the first probe finds them."""

    def close(self) -> None:
        """Report unready from now on."""
        self._is_open = False


class RemoteReloader:
    """Refuses to reload: bundles of a cluster are replaced by a deployment."""

    def request(self) -> Future[Reload]:
        """Refuse.

        Raises:
            ReloadRefusedError: Always.
        """
        raise ReloadRefusedError("the engines belong to a cluster: deploy it with the new bundles")

    def close(self) -> None:
        """Nothing to stop."""


def _envelope(request: RequestT) -> RequestEnvelope[RequestT]:
    return RequestEnvelope(request=request, request_id=REQUEST_ID.get(), trace_id=TRACE_ID.get())


def _value(answer: Any) -> Any:  # noqa: ANN401 - as the method
    if isinstance(answer, ServiceError):
        raise answer
    return answer


async def _within(timeout_s: float | None, answer: Any) -> Any:  # noqa: ANN401 - as the method
    """Await an answer up to the deadline; the engine's own starts when it has the request."""
    async with deadline(timeout_s, "the deadline passed before the translation"):
        return await answer


def _all_lost() -> NotReadyError:
    return NotReadyError(f"{MAX_ATTEMPTS} engines were lost with this request: send it again")
