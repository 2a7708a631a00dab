"""Texts of one direction of a model: read, decoded, restored, and put together."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

from bundle.manifest import LanguagePair
from service.admission import Clock
from service.attention_selection import check_selection
from service.decode_request import decode_options
from service.decoding import DecodePlan, decode, decode_pieces
from service.inspected import generated_pair
from service.inspection import Inspector
from service.job import JobResult
from service.patchwork import cut, sew
from service.registry import LoadedModel
from service.restoration import restore
from service.source_text import ReadOptions, SourceText, TextReader
from service.stages import Moments, stage_times, stages
from service.tally import count_sentences
from service.target_text import TranslatedSentence, TranslatedText, assemble
from service.tracing import Tracing
from service.translation import (
    AttentionMaps,
    AttentionSelection,
    SentenceTranslation,
    StageTimes,
    TranslateRequest,
    Translation,
)

_MAX_INLINE_CHARS = 8_000
"""More text than this is cut and tokenised in a thread, so that the event loop stays free."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionResult:
    """Texts that were translated together."""

    translations: tuple[Translation, ...]
    times: StageTimes


class DirectionTranslator:
    """Translates texts of one request from one language to another; used from one event loop."""

    def __init__(
        self,
        model: LoadedModel,
        pair: LanguagePair,
        request: TranslateRequest,
        inspector: Inspector,
        clock: Clock = time.monotonic,
        deadline_s: float | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """Check what can be checked before any work.

        Raises:
            InvalidRequestError: An option is out of its range, or does not exist in this model.
        """
        self._model = model
        self._pair = pair
        self._request = request
        self._inspector = inspector
        self._clock = clock
        self._deadline_s = deadline_s
        self._tracing = tracing or Tracing()
        manifest = model.bundle.manifest
        self._plan = DecodePlan(
            request=request, options=decode_options(request, manifest), deadline_s=deadline_s
        )
        if request.attention:
            check_selection(request.attention, manifest.architecture)
        self._reader = TextReader(model.bundle, pair, _read_options(request))

    async def translate(
        self, texts: Sequence[str], prefixes: Sequence[str] | None
    ) -> DirectionResult:
        """Translate all texts, or none.

        Args:
            texts: In the source language.
            prefixes: What each translation begins with.

        Raises:
            ServiceError: Which of them, and why, is said in `service.errors`.
        """
        size = sum(map(len, texts))
        started_s = self._clock()
        sources = await _apart(size, _read_all, self._reader, texts)
        tokenized_s = self._clock()
        found, results = await self._translate_sources(sources, prefixes)
        decoded_s = self._clock()
        translations = await _apart(size, self._assemble, sources, found)
        moments = self._trace(results, started_s, tokenized_s, decoded_s)
        return DirectionResult(translations=translations, times=stage_times(results, moments))

    async def stream(
        self, text: str, num_sentences: int
    ) -> AsyncIterator[tuple[str, tuple[SentenceTranslation, ...]]]:
        """A translation in parts that joined are the whole, each with its sentences.

        Args:
            text: In the source language.
            num_sentences: How many are translated side by side.
        """
        started_s = self._clock()
        source = await _apart(len(text), self._reader.read, text)
        tokenized_s = self._clock()
        source_offset = target_offset = 0
        for part in _parts(source, num_sentences):
            found, results = await self._translate_sources([part], None)
            decoded_s = self._clock()
            (translation,) = self._assemble([part], found)
            self._trace(results, started_s, tokenized_s, decoded_s)
            for piece, sentences in _sentence_by_sentence(part, translation):
                moved = [_moved(s, source_offset, target_offset) for s in sentences]
                yield piece, tuple(moved)
            source_offset += sum(len(p.markup.text) for p in part.passages if p.markup)
            target_offset += sum(map(len, _target_texts(found[0])))
            started_s = tokenized_s = self._clock()

    def _trace(
        self, results: Sequence[JobResult], started_s: float, tokenized_s: float, decoded_s: float
    ) -> Moments:
        """Note that a translation has ended."""
        moments = Moments(
            started_s=started_s,
            tokenized_s=tokenized_s,
            decoded_s=decoded_s,
            ended_s=self._clock(),
        )
        if self._tracing.is_on:
            self._tracing.record(stages(results, moments), now_s=moments.ended_s)
        return moments

    async def _translate_sources(
        self, sources: Sequence[SourceText], prefixes: Sequence[str] | None
    ) -> tuple[list[TranslatedText], list[JobResult]]:
        plan = replace(self._plan, prefixes=prefixes)
        results = await decode(self._model, [list(s.sentences) for s in sources], plan)
        size = sum(len(s.segment.text) for source in sources for s in source.sentences)
        sentences = await _apart(size, self._all_restored, sources, results)
        sentences = await self._aligned(sentences, self._wanting_links(sources, sentences))
        sentences = await self._patched(sentences)
        count_sentences(_lengths(sentences))
        sentences = await self._inspected(sentences)
        return _by_passage(sources, sentences), results

    def _all_restored(
        self, sources: Sequence[SourceText], results: Sequence[JobResult]
    ) -> list[TranslatedSentence]:
        remaining = iter(results)
        return [
            self._restored(
                TranslatedSentence(
                    source=sentence,
                    hypotheses=next(remaining).hypotheses if sentence.source_ids else (),
                )
            )
            for source in sources
            for sentence in source.sentences
        ]

    def _restored(
        self, sentence: TranslatedSentence, attention: AttentionMaps | None = None
    ) -> TranslatedSentence:
        """With its texts; attention, where there is any, is that of the best hypothesis."""
        weights = None if attention is None else attention.alignment.tolist()
        restored = tuple(
            restore(
                sentence.source,
                hypothesis,
                self._model.bundle,
                weights if rank == 0 else None,
                pair=self._pair,
            )
            for rank, hypothesis in enumerate(sentence.hypotheses)
        )
        return replace(sentence, restored=restored)

    def _wanting_links(
        self, sources: Sequence[SourceText], sentences: Sequence[TranslatedSentence]
    ) -> list[bool]:
        """Whether it must be known which word of each sentence became which."""
        tagged = [
            bool(passage.markup and passage.markup.tags)
            for source in sources
            for passage in source.passages
            for _ in passage.sentences
        ]
        return [
            bool(s.hypotheses)
            and (has_tags or self._request.with_alignment or not s.best.is_complete)
            for s, has_tags in zip(sentences, tagged, strict=True)
        ]

    async def _aligned(
        self, sentences: Sequence[TranslatedSentence], wanted: Sequence[bool]
    ) -> list[TranslatedSentence]:
        chosen = [s for s, is_wanted in zip(sentences, wanted, strict=True) if is_wanted]
        maps = iter(await self._attention(chosen, None))
        return [
            self._restored(s, next(maps)) if is_wanted else s
            for s, is_wanted in zip(sentences, wanted, strict=True)
        ]

    async def _patched(self, sentences: Sequence[TranslatedSentence]) -> list[TranslatedSentence]:
        """Those that still lack something, translated around it."""
        patchworks = {
            i: cut(s.source, self._reader)
            for i, s in enumerate(sentences)
            if not s.best.is_complete
        }
        pieces = [ids for patchwork in patchworks.values() for ids in patchwork.source_ids]
        results = iter(await decode_pieces(self._model, pieces, self._plan))
        patched = list(sentences)
        for i, patchwork in patchworks.items():
            hypotheses = [next(results).hypotheses[0] for _ in patchwork.source_ids]
            whole, text = sew(patchwork, hypotheses, self._model.bundle)
            patched[i] = replace(sentences[i], hypotheses=(whole,), restored=(text,))
        return patched

    async def _inspected(self, sentences: Sequence[TranslatedSentence]) -> list[TranslatedSentence]:
        """With the attention maps that were asked for, where a model ran."""
        if self._request.attention is None:
            return list(sentences)
        ran = [sentence for sentence in sentences if sentence.hypotheses]
        maps = iter(await self._attention(ran, self._request.attention))
        return [replace(s, attention=next(maps)) if s.hypotheses else s for s in sentences]

    async def _attention(
        self, sentences: Sequence[TranslatedSentence], selection: AttentionSelection | None
    ) -> list[AttentionMaps]:
        if not sentences:
            return []
        eos = self._model.bundle.manifest.special_ids.eos
        timeout_s = None
        if self._deadline_s is not None:
            timeout_s = max(0.0, self._deadline_s - self._clock())
        pairs = [generated_pair(sentence, eos) for sentence in sentences]
        return await self._inspector.inspect(self._model, pairs, selection, timeout_s=timeout_s)

    def _assemble(
        self, sources: Sequence[SourceText], found: Sequence[TranslatedText]
    ) -> tuple[Translation, ...]:
        return tuple(
            assemble(
                source,
                passages,
                self._model.bundle,
                num_alternatives=self._request.num_alternatives,
            )
            for source, passages in zip(sources, found, strict=True)
        )


def _lengths(sentences: Sequence[TranslatedSentence]) -> Iterator[tuple[int, int]]:
    """Tokens, source and target, of those that a model translated."""
    for sentence in sentences:
        if sentence.hypotheses:
            yield len(sentence.source.source_ids), len(sentence.hypotheses[0].target_ids)


def _moved(
    sentence: SentenceTranslation, source_offset: int, target_offset: int
) -> SentenceTranslation:
    """With the offsets that it has in the whole text."""
    start, end = sentence.source_span
    target_start, target_end = sentence.target_span
    return replace(
        sentence,
        source_span=(start + source_offset, end + source_offset),
        target_span=(target_start + target_offset, target_end + target_offset),
    )


def _target_texts(passages: TranslatedText) -> Iterator[str]:
    """What the target offsets of a part's sentences count in."""
    for sentences in passages:
        for sentence in sentences:
            yield sentence.best.text
            yield sentence.source.segment.separator


def _sentence_by_sentence(
    source: SourceText, translation: Translation
) -> Iterator[tuple[str, tuple[SentenceTranslation, ...]]]:
    """A translation in parts of one sentence, each with what follows it.

    A marked-up one stays whole: its offsets are not those of its text.
    """
    sentences = translation.sentences
    is_marked_up = any(isinstance(p, str) or p.markup is not None for p in source.parts)
    if is_marked_up or len(sentences) < 2:
        yield translation.text, sentences
        return
    starts = [0, *(sentence.target_span[0] for sentence in sentences[1:])]
    ends = [*starts[1:], len(translation.text)]
    for start, end, sentence in zip(starts, ends, sentences, strict=True):
        yield translation.text[start:end], (sentence,)


def _read_options(request: TranslateRequest) -> ReadOptions:
    return ReadOptions(
        markup=request.markup,
        splitting=request.splitting,
        unwrap=request.unwrap,
        glossary=request.glossary,
    )


def _by_passage(
    sources: Sequence[SourceText], sentences: Sequence[TranslatedSentence]
) -> list[TranslatedText]:
    remaining = iter(sentences)
    return [
        [[next(remaining) for _ in passage.sentences] for passage in source.passages]
        for source in sources
    ]


def _read_all(reader: TextReader, texts: Sequence[str]) -> list[SourceText]:
    return [reader.read(text) for text in texts]


def _parts(source: SourceText, num_sentences: int) -> Iterator[SourceText]:
    """Passages with tags stay whole: their tags may go anywhere in them."""
    for part in source.parts:
        if isinstance(part, str) or part.markup is not None:
            yield SourceText(parts=(part,))
            continue
        for start in range(0, len(part.sentences), num_sentences):
            sentences = part.sentences[start : start + num_sentences]
            yield SourceText(parts=(replace(part, sentences=sentences),))


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
