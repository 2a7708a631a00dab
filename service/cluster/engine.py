"""One bundle with everything that runs it: what a replica is."""

from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from service.cluster.remote import Call, RequestT
from service.errors import ServiceError
from service.inspection.values import AttentionRequest, InspectedPair, ScoredPair, ScoreRequest
from service.observability.logs import REQUEST_ID, TRACE_ID, configure_logging
from service.observability.metrics import Metrics
from service.server.app import create_translator, open_registry
from service.settings import Settings
from service.translation.values import StreamedSentence, TranslateRequest, TranslateResult

ReplyT = TypeVar("ReplyT")


class Engine:
    """Answers calls; used from one event loop.

    What the service refuses comes back as a value: to whoever runs replicas, an error that leaves
    a method is a fault of the replica, and a stack trace in its logs.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Load the bundle and translate its canary.

        Raises:
            StartupError: The bundle does not pass.
        """
        configure_logging(settings.log_level)
        self.metrics = Metrics()
        alone = settings.model_copy(update={"bundles": (folder,)})
        self._registry = open_registry(alone, self.metrics)
        self._translator = create_translator(alone, self._registry, self.metrics)
        self._registry.start()

    def close(self) -> None:
        """Stop everything; whatever is left ends with an error."""
        self._translator.close()
        self._registry.close()

    async def exposition(self) -> bytes:
        """What this replica has measured, in Prometheus' text format."""
        return self.metrics.exposition()

    async def fault(self) -> str | None:
        """Why requests should go to another replica, None if they should come."""
        return self._registry.unready_reason()

    async def translate(self, call: Call[TranslateRequest]) -> TranslateResult | ServiceError:
        """As `Translator.translate`."""
        return await self._answer(call, self._translator.translate(call.request))

    async def attention(self, call: Call[AttentionRequest]) -> list[InspectedPair] | ServiceError:
        """As `Translator.attention`."""
        return await self._answer(call, self._translator.attention(call.request))

    async def score(self, call: Call[ScoreRequest]) -> list[ScoredPair] | ServiceError:
        """As `Translator.score`."""
        return await self._answer(call, self._translator.score(call.request))

    async def stream(
        self, call: Call[TranslateRequest]
    ) -> AsyncIterator[StreamedSentence | ServiceError]:
        """As `Translator.stream`; an error is the last."""
        _log_with_ids_of(call)
        try:
            with self.metrics.in_flight.track_inprogress():
                async for part in self._translator.stream(call.request):
                    yield part
        except ServiceError as error:
            yield error

    async def _answer(
        self, call: Call[RequestT], work: Coroutine[Any, Any, ReplyT]
    ) -> ReplyT | ServiceError:
        _log_with_ids_of(call)
        try:
            with self.metrics.in_flight.track_inprogress():
                return await work
        except ServiceError as error:
            return error


def _log_with_ids_of(call: Call[RequestT]) -> None:
    """A task of its own runs each call, so there is nothing to set back."""
    REQUEST_ID.set(call.request_id)
    TRACE_ID.set(call.trace_id)
