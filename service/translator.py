"""Text in, text out: the one place where a translation is put together."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import ParamSpec, TypeVar

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.admission import Clock
from service.attention_selection import check_selection
from service.decode_request import decode_options
from service.decoding import DecodePlan, decode
from service.errors import InvalidRequestError
from service.inspected import generated_pair, sentence_pairs, token_pair, whole_pair
from service.inspection import Inspector
from service.job import JobResult
from service.registry import LoadedModel, Registry
from service.source_text import SourceSentence, read_sentences
from service.target_text import TranslatedSentence, assemble
from service.telemetry import Metrics
from service.translation import (
    AttentionRequest,
    AttentionSelection,
    InspectedPair,
    StageTimes,
    TranslateRequest,
    TranslateResult,
    Translation,
)

_MAX_INLINE_CHARS = 8_000
"""More text than this is cut and tokenised in a thread, so that the event loop stays free."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


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
    ) -> None:
        """Wire it.

        Args:
            registry: Started; stays the caller's to close.
            metrics: Receives what is measured.
            max_attention_cells: Most numbers in the attention maps of one reply.
            max_attention_runs: Attention passes at the same time.
            clock: The clock of the registry's schedulers, on which deadlines are set.
        """
        self._registry = registry
        self._metrics = metrics
        self._inspector = Inspector(max_cells=max_attention_cells, max_runs=max_attention_runs)
        self._clock = clock

    def close(self) -> None:
        """Give up attention passes that wait."""
        self._inspector.close()

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        """Translate all texts of a request, or none; cancelling it cancels their sentences.

        Raises:
            ServiceError: Which of them, and why, is said in `service.errors`.
        """
        if request.prefixes is not None and len(request.prefixes) != len(request.texts):
            raise InvalidRequestError(
                f"Invalid request: {len(request.texts)} texts, but {len(request.prefixes)} "
                "prefixes: send one for each"
            )
        model, pair = self._registry.find(request.source, request.target)
        options = decode_options(request, model.bundle.manifest)
        if request.attention:
            check_selection(request.attention, model.bundle.manifest.architecture)
        deadline_s = self._deadline_s(request.timeout_s)
        size = sum(len(text) for text in request.texts)

        started_s = self._clock()
        texts = await _apart(size, _read, request.texts, model.bundle, pair)
        tokenized_s = self._clock()
        plan = DecodePlan(request=request, options=options, deadline_s=deadline_s)
        results = await decode(model, texts, plan)
        translated = _with_results(texts, results)
        if request.attention:
            translated = await self._inspect(model, translated, request.attention, deadline_s)
        decoded_s = self._clock()
        translations = await _apart(
            size, _assemble, translated, model.bundle, request.num_alternatives
        )
        times = _stage_times(
            results,
            tokenize_s=tokenized_s - started_s,
            detokenize_s=self._clock() - decoded_s,
        )
        self._count(translations, times)
        return TranslateResult(translations=translations, times=times)

    async def attention(self, request: AttentionRequest) -> list[InspectedPair]:
        """Attention maps for every text of a request, in order.

        Without given translations this is `translate` with attention, sentence by sentence. With
        them each text and its translation go through the model as one pair.

        Raises:
            ServiceError: Which of them, and why, is said in `service.errors`.
        """
        if request.translations is None:
            return await self._attention_of_ours(request)
        if len(request.translations) != len(request.texts):
            raise InvalidRequestError(
                f"Invalid request: {len(request.texts)} texts, but {len(request.translations)} "
                "translations: send one for each"
            )
        model, pair = self._registry.find(request.source, request.target)
        both = list(zip(request.texts, request.translations, strict=True))
        pairs = [token_pair(text, given, model.bundle, pair) for text, given in both]
        maps = await self._inspector.inspect(
            model, pairs, request.selection, timeout_s=request.timeout_s
        )
        return [whole_pair(*texts, maps) for texts, maps in zip(both, maps, strict=True)]

    async def _attention_of_ours(self, request: AttentionRequest) -> list[InspectedPair]:
        result = await self.translate(
            TranslateRequest(
                texts=request.texts,
                source=request.source,
                target=request.target,
                attention=request.selection,
                timeout_s=request.timeout_s,
            )
        )
        return [
            sentence_pairs(text, translation)
            for text, translation in zip(request.texts, result.translations, strict=True)
        ]

    async def _inspect(
        self,
        model: LoadedModel,
        texts: list[list[TranslatedSentence]],
        selection: AttentionSelection,
        deadline_s: float | None,
    ) -> list[list[TranslatedSentence]]:
        """The same sentences, with their attention where a model ran."""
        eos = model.bundle.manifest.special_ids.eos
        ran = [sentence for text in texts for sentence in text if sentence.hypotheses]
        timeout_s = None if deadline_s is None else max(0.0, deadline_s - self._clock())
        maps = await self._inspector.inspect(
            model, [generated_pair(s, eos) for s in ran], selection, timeout_s=timeout_s
        )
        inspected = iter(maps)
        return [
            [replace(s, attention=next(inspected)) if s.hypotheses else s for s in text]
            for text in texts
        ]

    def _deadline_s(self, timeout_s: float | None) -> float | None:
        return None if timeout_s is None else self._clock() + timeout_s

    def _count(self, translations: Iterable[Translation], times: StageTimes) -> None:
        stages = self._metrics.stage_seconds
        stages.labels(stage="tokenize").observe(times.tokenize)
        stages.labels(stage="queue").observe(times.queue)
        stages.labels(stage="encode").observe(times.encode)
        stages.labels(stage="decode").observe(times.decode)
        stages.labels(stage="detokenize").observe(times.detokenize)
        self._metrics.truncated.inc(sum(s.truncated for t in translations for s in t.sentences))


async def _apart(
    size: int,
    function: Callable[Parameters, Result],
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Result:
    """Call `function` in a thread if it has much text to work on; a hop costs more than a little.

    Args:
        size: Characters of text.
        function: Pure.
        args: Its arguments.
        kwargs: Its arguments.
    """
    if size <= _MAX_INLINE_CHARS:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)


def _read(texts: Sequence[str], bundle: Bundle, pair: LanguagePair) -> list[list[SourceSentence]]:
    return [read_sentences(text, bundle, pair) for text in texts]


def _with_results(
    texts: Sequence[Sequence[SourceSentence]], results: Sequence[JobResult]
) -> list[list[TranslatedSentence]]:
    remaining = iter(results)
    return [
        [
            TranslatedSentence(
                source=sentence,
                hypotheses=next(remaining).hypotheses if sentence.source_ids else (),
            )
            for sentence in text
        ]
        for text in texts
    ]


def _assemble(
    texts: Sequence[Sequence[TranslatedSentence]], bundle: Bundle, num_alternatives: int
) -> tuple[Translation, ...]:
    return tuple(
        assemble(sentences, bundle, num_alternatives=num_alternatives) for sentences in texts
    )


def _stage_times(
    results: Sequence[JobResult], *, tokenize_s: float, detokenize_s: float
) -> StageTimes:
    return StageTimes(
        tokenize=tokenize_s,
        queue=max((result.queue_s for result in results), default=0.0),
        encode=max((result.encode_s for result in results), default=0.0),
        decode=max((result.decode_s for result in results), default=0.0),
        detokenize=detokenize_s,
    )
