"""The gateway of a cluster: the HTTP application over engines in other processes."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace

from fastapi import FastAPI

from bundle.reader import Bundle
from service.api.dependencies import Backend
from service.cluster.remote import (
    RemoteEngine,
    RemoteModel,
    RemoteRegistry,
    RemoteReloader,
    Transport,
)
from service.inspection.values import AttentionRequest, InspectedPair, ScoredPair, ScoreRequest
from service.observability.logs import configure_logging, count_sentences
from service.observability.metrics import Metrics
from service.observability.tracing import open_tracing
from service.server.app import create_app_over, release
from service.settings import Settings
from service.text.detection import Detection
from service.translation.attention import translate_with_attention
from service.translation.language_detection import LanguageFinder
from service.translation.translator import (
    checked_prefixes,
    group_by_language,
    longest_times,
    merge_translations,
    record_metrics,
)
from service.translation.values import (
    SentenceTranslation,
    StreamedSentence,
    TranslateRequest,
    TranslateResult,
)


class RemoteTranslator:
    """Implements `Translator` with one remote call per source language of a request."""

    def __init__(self, registry: RemoteRegistry, metrics: Metrics) -> None:
        self._registry = registry
        self._metrics = metrics
        self._languages = LanguageFinder(registry)

    def close(self) -> None:
        """Nothing to close: requests wait in the engines."""

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        """Translate all texts of a request; cancelling the task cancels their sentences.

        Raises:
            ServiceError: One of the texts cannot be translated; then there is no result at all.
        """
        checked_prefixes(request)
        detections = await self._languages.detect(request)
        groups = group_by_language(request, detections)
        parts = [_part(request, language, indices) for language, indices in groups.items()]
        engines = [self._engine(part.source, part.target) for part in parts]
        results = await asyncio.gather(
            *(engine.translate(part) for engine, part in zip(engines, parts, strict=True))
        )
        translations = merge_translations(groups, results, detections)
        times = longest_times([result.times for result in results])
        record_metrics(self._metrics, translations, times)
        count_sentences(_lengths([s for t in translations for s in t.sentences]))
        return TranslateResult(translations=translations, times=times)

    async def stream(self, request: TranslateRequest) -> AsyncIterator[StreamedSentence]:
        """Translate texts one after another, a few sentences at a time.

        Raises:
            ServiceError: A text cannot be translated; before the first part where possible.
        """
        detections = await self._languages.detect(request)
        for index, detection in enumerate(detections):
            language = detection.language if detection else request.source
            engine = self._engine(language, request.target)
            async for part in engine.stream(_part(request, language, [index])):
                self._metrics.truncated.inc(sum(s.truncated for s in part.sentences))
                count_sentences(_lengths(part.sentences))
                yield replace(part, text_index=index)

    async def detect(self, text: str) -> list[Detection]:
        """Candidate source languages of a text, most probable first.

        Raises:
            InvalidRequestError: The text is not valid Unicode.
        """
        return await self._languages.rank(text)

    async def attention(self, request: AttentionRequest) -> list[InspectedPair]:
        """Attention maps for every text of a request, in order.

        Raises:
            ServiceError: The maps cannot be computed.
        """
        if request.translations is None:
            return await translate_with_attention(request, self.translate)
        return await self._engine(request.source, request.target).attention(request)

    async def score(self, request: ScoreRequest) -> list[ScoredPair]:
        """Log-probabilities of given translations, in order.

        Raises:
            ServiceError: A pair cannot be scored.
        """
        return await self._engine(request.source, request.target).score(request)

    def _engine(self, source: str, target: str) -> RemoteEngine:
        return self._registry.find(source, target).engine


def _lengths(sentences: Sequence[SentenceTranslation]) -> list[tuple[int, int]]:
    """Source and target tokens of each sentence that a model translated."""
    return [(len(s.source_tokens), len(s.target_tokens)) for s in sentences if s.source_tokens]


def _part(request: TranslateRequest, language: str, indices: Sequence[int]) -> TranslateRequest:
    """The request for some of its texts, which are all in `language`."""
    prefixes = request.prefixes
    return replace(
        request,
        source=language,
        texts=tuple(request.texts[i] for i in indices),
        prefixes=None if prefixes is None else tuple(prefixes[i] for i in indices),
    )


def create_gateway(settings: Settings, transports: Iterable[tuple[Bundle, Transport]]) -> FastAPI:
    """The application that sends each text to the engine for its language pair.

    Raises:
        StartupError: A setting needs a package that is not installed.
    """
    configure_logging(settings.log_level)
    metrics = Metrics()
    tracing = open_tracing(settings.otel_endpoint, release())
    registry = RemoteRegistry(
        [RemoteModel(bundle, RemoteEngine(transport, metrics)) for bundle, transport in transports]
    )
    backend = Backend(
        registry=registry,
        translator=RemoteTranslator(registry, metrics),
        reloader=RemoteReloader(),
    )
    return create_app_over(backend, settings, metrics, tracing)
