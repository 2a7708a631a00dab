"""Text in, text out, by engines elsewhere: finds the languages and who translates them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace

from fastapi import FastAPI

from bundle.reader import Bundle
from service.api.backend import Backend
from service.cluster.remote import (
    Channel,
    RemoteCatalogue,
    RemoteEngine,
    RemoteModel,
    RemoteReloader,
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
    """Does what `Translator` does, a call for each language of a request."""

    def __init__(self, catalogue: RemoteCatalogue, metrics: Metrics) -> None:
        self._catalogue = catalogue
        self._metrics = metrics
        self._languages = LanguageFinder(catalogue)

    def close(self) -> None:
        """Nothing waits here."""

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        """Translate all texts of a request, or none; cancelling it cancels their sentences.

        Raises:
            ServiceError: Which of them, and why, is said in `service.errors`.
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
            ServiceError: Likewise; before the first part where that can be known.
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
        """The served languages that a text may be in, best first.

        Raises:
            InvalidRequestError: The text is no valid Unicode.
        """
        return await self._languages.rank(text)

    async def attention(self, request: AttentionRequest) -> list[InspectedPair]:
        """Attention maps for every text of a request, in order.

        Raises:
            ServiceError: Which of them, and why, is said in `service.errors`.
        """
        if request.translations is None:
            return await translate_with_attention(request, self.translate)
        return await self._engine(request.source, request.target).attention(request)

    async def score(self, request: ScoreRequest) -> list[ScoredPair]:
        """Log-probabilities of given translations, in order.

        Raises:
            ServiceError: Which of them, and why, is said in `service.errors`.
        """
        return await self._engine(request.source, request.target).score(request)

    def _engine(self, source: str, target: str) -> RemoteEngine:
        return self._catalogue.find(source, target).engine


def _lengths(sentences: Sequence[SentenceTranslation]) -> list[tuple[int, int]]:
    """Source and target tokens of those that a model translated."""
    return [(len(s.source_tokens), len(s.target_tokens)) for s in sentences if s.source_tokens]


def _part(request: TranslateRequest, language: str, indices: Sequence[int]) -> TranslateRequest:
    """Some texts of a request, as a request in their language."""
    prefixes = request.prefixes
    return replace(
        request,
        source=language,
        texts=tuple(request.texts[i] for i in indices),
        prefixes=None if prefixes is None else tuple(prefixes[i] for i in indices),
    )


def create_door(settings: Settings, channels: Iterable[tuple[Bundle, Channel]]) -> FastAPI:
    """What answers HTTP, and sends each text to the engines of its bundle.

    Raises:
        StartupError: A setting needs what is not installed.
    """
    configure_logging(settings.log_level)
    metrics = Metrics()
    tracing = open_tracing(settings.otel_endpoint, release())
    catalogue = RemoteCatalogue(
        [RemoteModel(bundle, RemoteEngine(channel, metrics)) for bundle, channel in channels]
    )
    backend = Backend(
        catalogue=catalogue,
        translator=RemoteTranslator(catalogue, metrics),
        reloader=RemoteReloader(),
    )
    return create_app_over(backend, settings, metrics, tracing)
