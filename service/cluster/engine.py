"""The engine of one bundle, which a replica runs: registry, translator, metrics."""

from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from service.cluster.remote import RequestEnvelope, RequestT
from service.errors import ServiceError
from service.inspection.values import AttentionRequest, InspectedPair, ScoredPair, ScoreRequest
from service.observability.logs import REQUEST_ID, TRACE_ID, configure_logging
from service.observability.metrics import Metrics
from service.server.app import create_translator, open_registry
from service.settings import Settings
from service.translation.values import StreamedSentence, TranslateRequest, TranslateResult

ReplyT = TypeVar("ReplyT")


class Engine:
    """Answers remote procedure calls; for one event loop.

    A `ServiceError` is returned, not raised: the cluster takes a raised error for a fault of the
    replica and logs its stack trace.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Load the bundle and translate its canary sentence.

        Raises:
            StartupError: The bundle fails its checks.
        """
        configure_logging(settings.log_level)
        self.metrics = Metrics()
        # A replica is a process of its own already, of one CPU unless it is told otherwise.
        alone = settings.with_threads().model_copy(update={"bundles": (folder,)})
        self._registry = open_registry(alone, self.metrics)
        self._translator = create_translator(alone, self._registry, self.metrics)
        self._registry.start()

    def close(self) -> None:
        """Stop; unfinished requests end with an error."""
        self._translator.close()
        self._registry.close()

    async def exposition(self) -> bytes:
        """The metrics of this replica in Prometheus' text format."""
        return self.metrics.exposition()

    async def fault(self) -> str | None:
        """Why requests should go to another replica; None if this one is healthy."""
        return self._registry.unready_reason()

    async def translate(
        self, envelope: RequestEnvelope[TranslateRequest]
    ) -> TranslateResult | ServiceError:
        """As `Translator.translate`."""
        return await self._answer(envelope, self._translator.translate(envelope.request))

    async def attention(
        self, envelope: RequestEnvelope[AttentionRequest]
    ) -> list[InspectedPair] | ServiceError:
        """As `Translator.attention`."""
        return await self._answer(envelope, self._translator.attention(envelope.request))

    async def score(
        self, envelope: RequestEnvelope[ScoreRequest]
    ) -> list[ScoredPair] | ServiceError:
        """As `Translator.score`."""
        return await self._answer(envelope, self._translator.score(envelope.request))

    async def stream(
        self, envelope: RequestEnvelope[TranslateRequest]
    ) -> AsyncIterator[StreamedSentence | ServiceError]:
        """As `Translator.stream`; an error is the last part."""
        _set_log_ids(envelope)
        try:
            with self.metrics.in_flight.track_inprogress():
                async for part in self._translator.stream(envelope.request):
                    yield part
        except ServiceError as error:
            yield error

    async def _answer(
        self, envelope: RequestEnvelope[RequestT], work: Coroutine[Any, Any, ReplyT]
    ) -> ReplyT | ServiceError:
        _set_log_ids(envelope)
        try:
            with self.metrics.in_flight.track_inprogress():
                return await work
        except ServiceError as error:
            return error


def _set_log_ids(envelope: RequestEnvelope[RequestT]) -> None:
    """Set the ids for log records; each call has its own task, so there is nothing to reset."""
    REQUEST_ID.set(envelope.request_id)
    TRACE_ID.set(envelope.trace_id)
