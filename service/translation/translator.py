"""Text in, text out: finds the language and the models of each text, and joins the results."""

import asyncio
import time
from collections.abc import (
    AsyncIterator,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import fields, replace
from functools import partial
from typing import Any, TypeVar

from service.errors import InvalidRequestError
from service.inspection.inspector import Inspector
from service.inspection.values import (
    AttentionRequest,
    InspectedPair,
    ScoredPair,
    ScoreRequest,
)
from service.models.registry import Registry, Route
from service.observability.clock import Clock, left_s
from service.observability.metrics import Metrics
from service.observability.tracing import Tracing
from service.text.detection import Detection
from service.translation.attention import (
    check_translations,
    translate_with_attention,
    with_translations,
)
from service.translation.copying import CopyingTranslator
from service.translation.given_translations import GivenTranslations
from service.translation.language_detection import AUTO, LanguageFinder
from service.translation.memory.remembering import RememberingTranslator
from service.translation.memory.translation_memory import TranslationMemory
from service.translation.one_model import OneModel
from service.translation.outcomes import count_doubtful, record_metrics, record_outcomes
from service.translation.sentences.pivot import PivotTranslator, pivot_requests
from service.translation.sentences.sentence_translator import SentenceTranslator
from service.translation.sentences.single_model import SingleModelTranslator
from service.translation.text_limits import UNLIMITED, TextLimits
from service.translation.text_thread import MAX_INLINE_CHARS, TextThread
from service.translation.text_translator import TextTranslator
from service.translation.values import (
    StageTimes,
    StreamedSentence,
    TranslateRequest,
    TranslateResult,
    Translation,
)

T = TypeVar("T")

STREAMED_TOGETHER = 16
"""Sentences of a stream that are translated side by side before they are sent."""


class Translator:
    """Translates and inspects with the models of a registry; used from one event loop."""

    def __init__(
        self,
        registry: Registry,
        metrics: Metrics,
        *,
        max_attention_cells: int = 1_000_000,
        max_inline_chars: int = MAX_INLINE_CHARS,
        limits: TextLimits = UNLIMITED,
        clock: Clock = time.monotonic,
        tracing: Tracing | None = None,
        memory: TranslationMemory | None = None,
    ) -> None:
        """Connects the registry, the inspector and the language detector.

        Args:
            registry: Started; the caller closes it.
            metrics: Counts and times translations.
            max_attention_cells: Most numbers in the attention maps of one reply.
            max_inline_chars: Longer texts are worked on in a thread.
            limits: Of the texts of a request.
            clock: The clock of the registry's schedulers, on which deadlines are set.
            tracing: Records the stages of every translation; the caller closes it.
            memory: What people have translated; closed by `close`.
        """
        self._registry = registry
        self._metrics = metrics
        self._models = OneModel(registry, metrics, clock)
        self._inspector = Inspector(max_cells=max_attention_cells)
        self._thread = TextThread(max_inline_chars)
        self._limits = limits
        self._languages = LanguageFinder(registry)
        self._given = GivenTranslations(
            self._models, self._inspector, self._languages, self._thread, clock
        )
        self._clock = clock
        self._tracing = tracing or Tracing()
        self._memory = memory

    def close(self) -> None:
        """Cancels work on texts that waits; closes the memory and what single requests needed."""
        self._thread.close()
        self._models.close()
        if self._memory is not None:
            self._memory.close()

    async def warm(self) -> None:
        """Loads what detects languages, so that no request waits for it."""
        await self._languages.warm()

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        """Translates all texts of a request, or none; cancelling it cancels their sentences.

        Raises:
            ServiceError: See `service.errors`.
        """
        prefixes = checked_prefixes(request)
        detections = await detections_of(request, self._languages)
        groups = group_by_language(request, detections)
        deadline_s = self._deadline_s(request.timeout_s)
        foreign = [each for each in groups if not self._is_in_target_already(request, each)]
        async with self._routes(request, foreign, deadline_s) as routes:
            leased = dict(zip(foreign, routes, strict=True))
            translators = {
                language: self._text_translator(request, language, leased.get(language), deadline_s)
                for language in groups
            }
            results = await _side_by_side(
                [
                    translators[language].translate(
                        [request.texts[i] for i in indices],
                        None if prefixes is None else [prefixes[i] for i in indices],
                    )
                    for language, indices in groups.items()
                ]
            )
        translations = merge_translations(groups, results, detections)
        times = longest_times([result.times for result in results])
        for language, result in zip(groups, results, strict=True):
            sentences = [s for t in result.translations for s in t.sentences]
            count_doubtful(self._metrics, translators[language].languages, sentences)
        record_metrics(self._metrics, translations, times)
        return TranslateResult(translations=translations, times=times)

    async def stream(self, request: TranslateRequest) -> AsyncIterator[StreamedSentence]:
        """Translates texts one after another, a few sentences at a time.

        Raises:
            ServiceError: See `service.errors`; before the first part where it can be known.
        """
        if request.prefixes is not None or request.num_alternatives:
            raise InvalidRequestError(
                "Invalid request: a stream has neither alternatives nor a prefix: send stream=false"
            )
        detections = await detections_of(request, self._languages)
        for index, (text, detection) in enumerate(zip(request.texts, detections, strict=True)):
            language = detection.language if detection else request.source
            deadline_s = self._deadline_s(request.timeout_s)
            is_copied = self._is_in_target_already(request, language)
            async with self._registry.lease_routes(
                [] if is_copied else [(language, request.target)], timeout_s=request.timeout_s
            ) as routes:
                route = None if is_copied else routes[0]
                translator = self._text_translator(request, language, route, deadline_s)
                async for part, sentences in translator.stream(text, STREAMED_TOGETHER):
                    record_outcomes(self._metrics, sentences)
                    count_doubtful(self._metrics, translator.languages, sentences)
                    yield StreamedSentence(
                        text_index=index, text=part, sentences=sentences, detected=detection
                    )

    async def detect(self, text: str) -> list[Detection]:
        """The served languages that a text may be in, likeliest first.

        Raises:
            InvalidRequestError: The text is not valid Unicode.
        """
        return await self._languages.rank(text)

    async def attention(self, request: AttentionRequest) -> list[InspectedPair]:
        """Attention maps for every text of a request, in order.

        Without given translations this is `translate` with attention, sentence by sentence. With
        them each text and its translation go through the model as one pair.

        Raises:
            ServiceError: See `service.errors`.
        """
        check_translations(request)
        if request.contrasts is not None:
            deadline_s = self._deadline_s(request.timeout_s)
            request = await with_translations(request, self.translate)
            request = replace(request, timeout_s=left_s(deadline_s, self._clock))
        if request.translations is None:
            return await translate_with_attention(request, self.translate)
        deadline_s = self._deadline_s(request.timeout_s)
        return await self._given.attention(request, request.translations, deadline_s)

    async def score(self, request: ScoreRequest) -> list[ScoredPair]:
        """Log-probabilities of given translations, in order.

        Raises:
            ServiceError: See `service.errors`.
        """
        return await self._given.score(request, self._deadline_s(request.timeout_s))

    def _routes(
        self, request: TranslateRequest, languages: Sequence[str], deadline_s: float | None
    ) -> AbstractAsyncContextManager[Sequence[Route]]:
        """The models for each language, without the heads that the request leaves out."""
        if request.without_heads:
            return self._ablated_route(request, deadline_s)
        directions = [(language, request.target) for language in languages]
        return self._registry.lease_routes(directions, timeout_s=request.timeout_s)

    @asynccontextmanager
    async def _ablated_route(
        self, request: TranslateRequest, deadline_s: float | None
    ) -> AsyncIterator[Sequence[Route]]:
        async with self._models.lease(request, deadline_s) as served:
            yield [(served,)]

    def _text_translator(
        self,
        request: TranslateRequest,
        language: str,
        route: Route | None,
        deadline_s: float | None,
    ) -> TextTranslator | CopyingTranslator:
        if route is None:
            return CopyingTranslator(language)
        translator: SentenceTranslator = self._sentence_translator(request, route, deadline_s)
        if self._memory is not None and not _is_about_the_model(request):
            translator = RememberingTranslator(
                self._memory, translator, request, self._thread, self._clock, deadline_s
            )
        return TextTranslator(
            translator,
            request,
            self._thread,
            clock=self._clock,
            tracing=self._tracing,
        )

    def _deadline_s(self, timeout_s: float | None) -> float | None:
        return None if timeout_s is None else self._clock() + timeout_s

    def _is_in_target_already(self, request: TranslateRequest, language: str) -> bool:
        """Whether the language that was detected is the target, which no model starts from."""
        routes = self._registry.routes
        is_detected = request.source.lower() == AUTO
        return (
            is_detected
            and language == routes.served_target(request.target)
            and language not in routes.sources_of(request.target)
        )

    def _sentence_translator(
        self, request: TranslateRequest, route: Route, deadline_s: float | None
    ) -> SentenceTranslator:
        with_model = partial(
            SingleModelTranslator,
            inspector=self._inspector,
            thread=self._thread,
            limits=self._limits,
            clock=self._clock,
            deadline_s=deadline_s,
        )
        if len(route) == 1:
            return with_model(*route[0], request)
        first, second = route
        needs_one = request.attention is not None or request.with_search
        if needs_one or request.prefixes is not None:
            raise self._registry.routes.unsupported(first[1].source, second[1].target)
        requests = pivot_requests(request)
        return PivotTranslator(
            with_model(*first, requests[0]),
            with_model(*second, requests[1]),
            request,
            self._thread,
        )


async def _side_by_side(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Their results, in order; a single one takes no task, and no turn of the event loop."""
    if len(works) == 1:
        return [await works[0]]
    return await asyncio.gather(*works)


def _is_about_the_model(request: TranslateRequest) -> bool:
    """Whether only a model can answer: what it attends to, searches, loses, or how it goes on."""
    return (
        request.attention is not None
        or request.prefixes is not None
        or request.with_search
        or bool(request.without_heads)
    )


async def detections_of(
    request: TranslateRequest, languages: LanguageFinder
) -> Sequence[Detection | None]:
    """The detected language of every text; None where the request names it.

    Raises:
        UnsupportedLanguageError: No language is translated to the target.
        InvalidRequestError: A text is not valid Unicode.
    """
    if request.source.lower() != AUTO:
        return [None] * len(request.texts)
    return await languages.detect(request)


def checked_prefixes(request: TranslateRequest) -> tuple[str, ...] | None:
    """The prefix of each translation; None where none was requested.

    Raises:
        InvalidRequestError: Their number is not that of the texts.
    """
    if request.prefixes is not None and len(request.prefixes) != len(request.texts):
        raise InvalidRequestError(
            f"Invalid request: {len(request.texts)} texts, but {len(request.prefixes)} "
            "prefixes: send one for each"
        )
    return request.prefixes


def group_by_language(
    request: TranslateRequest, detections: Sequence[Detection | None]
) -> dict[str, list[int]]:
    """The indices of the texts in each language."""
    groups: dict[str, list[int]] = {}
    for index, detection in enumerate(detections):
        language = detection.language if detection else request.source
        groups.setdefault(language, []).append(index)
    return groups


def merge_translations(
    groups: Mapping[str, Sequence[int]],
    results: Sequence[TranslateResult],
    detections: Sequence[Detection | None],
) -> tuple[Translation, ...]:
    """All translations in the order of their texts, each with its detected language."""
    found = {
        index: translation
        for indices, result in zip(groups.values(), results, strict=True)
        for index, translation in zip(indices, result.translations, strict=True)
    }
    return tuple(replace(found[i], detected=d) if d else found[i] for i, d in enumerate(detections))


def longest_times(times: Sequence[StageTimes]) -> StageTimes:
    """The longest of each stage: languages are translated side by side."""
    if len(times) == 1:
        return times[0]
    return StageTimes(
        **{
            stage.name: max((getattr(each, stage.name) for each in times), default=0.0)
            for stage in fields(StageTimes)
        }
    )
