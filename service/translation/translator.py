"""Text in, text out: finds the languages and their models, and joins what they give."""

import asyncio
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace

from service.errors import InvalidRequestError
from service.inspection.inspector import Inspector
from service.inspection.token_pairs import token_pair, whole_pair
from service.inspection.values import (
    AttentionRequest,
    InspectedPair,
    InspectedSentence,
    ScoredPair,
    ScoreRequest,
)
from service.models.registry import Registry, ServedPair
from service.observability.clock import Clock
from service.observability.logs import count_sentences
from service.observability.metrics import Metrics
from service.observability.tracing import Tracing
from service.text.detection import Detection
from service.translation.language_detection import LanguageFinder
from service.translation.pivot import Pivot, pivot_requests
from service.translation.sentence_translator import Leg
from service.translation.text_translator import DirectionResult, DirectionTranslator, Way
from service.translation.values import (
    SentenceTranslation,
    StageTimes,
    StreamedSentence,
    TranslateRequest,
    TranslateResult,
    Translation,
)

STREAMED_TOGETHER = 16
"""Sentences of a stream that are translated side by side, and then sent."""


class Translator:
    """Translates and inspects with the models of a registry; used from one event loop."""

    def __init__(
        self,
        registry: Registry,
        metrics: Metrics,
        *,
        max_attention_cells: int = 1_000_000,
        max_attention_runs: int = 1,
        clock: Clock = time.monotonic,
        tracing: Tracing | None = None,
    ) -> None:
        """Wire it.

        Args:
            registry: Started; stays the caller's to close.
            metrics: Receives what is measured.
            max_attention_cells: Most numbers in the attention maps of one reply.
            max_attention_runs: Attention passes at the same time.
            clock: The clock of the registry's schedulers, on which deadlines are set.
            tracing: Is told the stages of every translation; stays the caller's to close.
        """
        self._registry = registry
        self._metrics = metrics
        self._inspector = Inspector(max_cells=max_attention_cells, max_runs=max_attention_runs)
        self._languages = LanguageFinder(registry)
        self._clock = clock
        self._tracing = tracing or Tracing()

    def close(self) -> None:
        """Give up attention passes that wait."""
        self._inspector.close()

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        """Translate all texts of a request, or none; cancelling it cancels their sentences.

        Raises:
            ServiceError: Which of them, and why, is said in `service.errors`.
        """
        prefixes = checked_prefixes(request)
        detections = await self._languages.detect(request)
        groups = by_language(request, detections)
        with ExitStack() as leases:
            workers = {
                language: leases.enter_context(self._direction(request, language))
                for language in groups
            }
            results = await asyncio.gather(
                *(
                    workers[language].translate(
                        [request.texts[i] for i in indices],
                        None if prefixes is None else [prefixes[i] for i in indices],
                    )
                    for language, indices in groups.items()
                )
            )
        translations = in_order(groups, results, detections)
        times = longest([result.times for result in results])
        count(self._metrics, translations, times)
        return TranslateResult(translations=translations, times=times)

    async def stream(self, request: TranslateRequest) -> AsyncIterator[StreamedSentence]:
        """Translate texts one after another, a few sentences at a time.

        Raises:
            ServiceError: Likewise; before the first part where that can be known.
        """
        if request.prefixes is not None or request.num_alternatives:
            raise InvalidRequestError(
                "Invalid request: a stream has neither alternatives nor a prefix: send stream=false"
            )
        detections = await self._languages.detect(request)
        for index, (text, detection) in enumerate(zip(request.texts, detections, strict=True)):
            language = detection.language if detection else request.source
            with self._direction(request, language) as direction:
                async for part, sentences in direction.stream(text, STREAMED_TOGETHER):
                    count_outcomes(self._metrics, sentences)
                    yield StreamedSentence(text_index=index, text=part, sentences=sentences)

    async def detect(self, text: str) -> list[Detection]:
        """The served languages that a text may be in, best first.

        Raises:
            InvalidRequestError: The text is no valid Unicode.
        """
        return await self._languages.rank(text)

    async def attention(self, request: AttentionRequest) -> list[InspectedPair]:
        """Attention maps for every text of a request, in order.

        Without given translations this is `translate` with attention, sentence by sentence. With
        them each text and its translation go through the model as one pair.

        Raises:
            ServiceError: Which of them, and why, is said in `service.errors`.
        """
        if request.translations is None:
            return await attention_of_ours(request, self.translate)
        if len(request.translations) != len(request.texts):
            raise InvalidRequestError(
                f"Invalid request: {len(request.texts)} texts, but {len(request.translations)} "
                "translations: send one for each"
            )
        both = list(zip(request.texts, request.translations, strict=True))
        with self._registry.lease(request.source, request.target) as (model, pair):
            pairs = [token_pair(text, given, model.bundle, pair) for text, given in both]
            count_sentences((len(p.source_ids), len(p.target_ids)) for p in pairs)
            maps = await self._inspector.inspect(
                model, pairs, request.selection, timeout_s=request.timeout_s
            )
        return [
            whole_pair(*texts, m, model.bundle, pair) for texts, m in zip(both, maps, strict=True)
        ]

    async def score(self, request: ScoreRequest) -> list[ScoredPair]:
        """Log-probabilities of given translations, in order.

        Raises:
            ServiceError: Which of them, and why, is said in `service.errors`.
        """
        with self._registry.lease(request.source, request.target) as (model, pair):
            pairs = [token_pair(*texts, model.bundle, pair) for texts in request.pairs]
            count_sentences((len(p.source_ids), len(p.target_ids)) for p in pairs)
            found = await self._inspector.inspect(model, pairs, None, timeout_s=request.timeout_s)
        return [
            ScoredPair(target_tokens=each.target_tokens, token_log_probs=each.token_log_probs)
            for each in found
        ]

    @contextmanager
    def _direction(self, request: TranslateRequest, source: str) -> Iterator[DirectionTranslator]:
        with self._registry.lease_route(source, request.target) as found:
            yield DirectionTranslator(
                self._way(request, found), request, clock=self._clock, tracing=self._tracing
            )

    def _way(self, request: TranslateRequest, found: Sequence[ServedPair]) -> Way:
        timeout_s = request.timeout_s
        deadline_s = None if timeout_s is None else self._clock() + timeout_s

        def leg(served: ServedPair, asked: TranslateRequest) -> Leg:
            return Leg(*served, asked, self._inspector, clock=self._clock, deadline_s=deadline_s)

        if len(found) == 1:
            return leg(found[0], request)
        first, second = found
        if request.attention is not None or request.prefixes is not None:
            raise self._registry.routes.unsupported(first[1].source, second[1].target)
        requests = pivot_requests(request)
        return Pivot(leg(first, requests[0]), leg(second, requests[1]), request.glossary)


async def attention_of_ours(
    request: AttentionRequest,
    translate: Callable[[TranslateRequest], Awaitable[TranslateResult]],
) -> list[InspectedPair]:
    """Translate with attention, and leave out everything else.

    Raises:
        ServiceError: Whatever `translate` raises.
    """
    result = await translate(
        TranslateRequest(
            texts=request.texts,
            source=request.source,
            target=request.target,
            attention=request.selection,
            with_alignment=True,
            timeout_s=request.timeout_s,
            client=request.client,
        )
    )
    return [
        sentence_pairs(text, translation)
        for text, translation in zip(request.texts, result.translations, strict=True)
    ]


def checked_prefixes(request: TranslateRequest) -> tuple[str, ...] | None:
    """What each translation begins with.

    Raises:
        InvalidRequestError: There is not one for each text.
    """
    if request.prefixes is not None and len(request.prefixes) != len(request.texts):
        raise InvalidRequestError(
            f"Invalid request: {len(request.texts)} texts, but {len(request.prefixes)} "
            "prefixes: send one for each"
        )
    return request.prefixes


def count(metrics: Metrics, translations: Iterable[Translation], times: StageTimes) -> None:
    """Note what a request took, and what was cut off."""
    stages = metrics.stage_seconds
    stages.labels(stage="tokenize").observe(times.tokenize)
    stages.labels(stage="queue").observe(times.queue)
    stages.labels(stage="encode").observe(times.encode)
    stages.labels(stage="decode").observe(times.decode)
    stages.labels(stage="detokenize").observe(times.detokenize)
    for translation in translations:
        count_outcomes(metrics, translation.sentences)


def count_outcomes(metrics: Metrics, sentences: Iterable[SentenceTranslation]) -> None:
    """Note what was cut off, and what went by way of a third language."""
    found = list(sentences)
    metrics.truncated.inc(sum(sentence.truncated for sentence in found))
    metrics.pivoted.inc(sum(bool(sentence.route) for sentence in found))


def by_language(
    request: TranslateRequest, detections: Sequence[Detection | None]
) -> dict[str, list[int]]:
    """Indices of the texts in each language."""
    groups: dict[str, list[int]] = {}
    for index, detection in enumerate(detections):
        language = detection.language if detection else request.source
        groups.setdefault(language, []).append(index)
    return groups


def in_order(
    groups: Mapping[str, Sequence[int]],
    results: Sequence[DirectionResult | TranslateResult],
    detections: Sequence[Detection | None],
) -> tuple[Translation, ...]:
    """The translations in the order of their texts, each with its detected language."""
    found = {
        index: translation
        for indices, result in zip(groups.values(), results, strict=True)
        for index, translation in zip(indices, result.translations, strict=True)
    }
    return tuple(replace(found[i], detected=d) for i, d in enumerate(detections))


def longest(times: Sequence[StageTimes]) -> StageTimes:
    """Stage by stage, because directions run side by side."""
    return StageTimes(
        **{
            stage.name: max((getattr(each, stage.name) for each in times), default=0.0)
            for stage in fields(StageTimes)
        }
    )


def sentence_pairs(text: str, translation: Translation) -> InspectedPair:
    """A text and our translation, inspected sentence by sentence."""
    return InspectedPair(
        source=text,
        translation=translation.text,
        sentences=tuple(
            InspectedSentence(
                source=sentence.source,
                translation=sentence.translation,
                source_span=sentence.source_span,
                target_span=sentence.target_span,
                links=sentence.alignment or (),
                attention=sentence.attention,
            )
            for sentence in translation.sentences
            if sentence.attention
        ),
    )
