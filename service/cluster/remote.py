"""An engine seen from the door: deadlines, and another replica where one is lost."""

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

RequestT = TypeVar("RequestT", bound=TranslateRequest | AttentionRequest | ScoreRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[RequestT]):
    """A request, with what an engine's logs need of where it came from."""

    request: RequestT
    request_id: str | None
    trace_id: str | None


class LostEngineError(Exception):
    """The replica that had a call has gone, and its answer with it."""


class Channel(Protocol):
    """The way to the engine of one bundle, whichever of its replicas takes a call.

    Methods are those of `service.cluster.engine.Engine`. A task that is cancelled cancels its call.
    """

    async def ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - as the method
        """The method's answer.

        Raises:
            LostEngineError: There will be none.
        """

    def stream(self, method: str, *arguments: object) -> AsyncIterator[Any]:
        """The method's answers, one by one.

        Raises:
            LostEngineError: There will be no more.
        """


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
    async with deadline(timeout_s, "the deadline passed before the translation"):
        return await answer


def _lost() -> NotReadyError:
    return NotReadyError(f"{MAX_TRIES} engines were lost with this request: send it again")


PROBE_INTERVAL_S = 2.0
"""A verdict younger than this is not asked for again."""
PROBE_TIMEOUT_S = 5.0


class RemoteModel:
    """What the door knows of a bundle; belongs to one event loop."""

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
        """Why it cannot serve, as last seen; None if it can."""
        return self._fault

    def check(self) -> None:
        """Ask an engine how it is, unless one is being asked or the last answer is fresh."""
        is_asked = self._probe is not None and not self._probe.done()
        is_fresh = self._probed_s is not None and self._clock() - self._probed_s < PROBE_INTERVAL_S
        if not is_asked and not is_fresh:
            self._probed_s = self._clock()
            self._probe = asyncio.create_task(self.probe())

    async def probe(self) -> None:
        """Ask an engine how it is, whenever that was done last."""
        try:
            async with asyncio.timeout(self._timeout_s):
                self._fault = await self.engine.fault()
        except TimeoutError:
            self._fault = f"no engine has answered within {self._timeout_s:g} s"
        except LostEngineError:
            pass  # the last verdict stands: another engine is asked next time


class RemoteCatalogue:
    """What the door can pass on; the engines are neither started nor stopped from here."""

    def __init__(self, models: Sequence[RemoteModel]) -> None:
        self.models = tuple(models)
        self._by_pair = {
            (pair.source, pair.target): model
            for model in models
            for pair in model.bundle.manifest.pairs
        }
        # Nothing goes from engine to engine, so nothing goes by way of a third language.
        self.routes = Routes(self._by_pair, pivots=False)
        self._is_open = True

    @property
    def is_busy(self) -> bool:
        """Never: sentences are translated elsewhere."""
        return False

    def find(self, source: str, target: str) -> RemoteModel:
        """The model that translates from `source` to `target`, in any case of letters.

        Raises:
            UnsupportedLanguageError: There is none; names the language that is to blame.
        """
        found = self._by_pair.get((source.lower(), target.lower()))
        if found is None:
            raise self.routes.unsupported(source, target)
        return found

    def unready_reason(self) -> str | None:
        """Why requests should go elsewhere, None if they should come; asks the engines anew."""
        if not self._is_open:
            return "the service is shutting down"
        for model in self.models:
            model.check()
        faults = [f"{model.name}: {fault}" for model in self.models if (fault := model.fault)]
        return "; ".join(faults) or None

    def start(self) -> None:
        """Nothing: an engine starts itself, and the first probe asks how it is."""

    def close(self) -> None:
        """Send no more requests."""
        self._is_open = False


class RemoteReloader:
    """Says where bundles are replaced."""

    def request(self) -> Future[Reload]:
        """Ask in vain.

        Raises:
            ReloadRefusedError: Always.
        """
        raise ReloadRefusedError("the engines belong to a cluster: deploy it with the new bundles")

    def close(self) -> None:
        """There is nothing to stop."""
