"""Texts of one direction: read, translated sentence by sentence, and put together."""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from service.observability.clock import Clock
from service.observability.tracing import Tracing
from service.scheduling.job import JobResult
from service.translation.offload import offload
from service.translation.sentence_translator import TranslatedSentences
from service.translation.source_text import SourceSentence, SourceText, TextReader
from service.translation.target_text import TranslatedSentence, TranslatedText, assemble
from service.translation.timings import Moments, stage_times, stages
from service.translation.values import (
    SentenceTranslation,
    StageTimes,
    TranslateRequest,
    Translation,
)

Runs = Sequence[Sequence[JobResult]]
"""What each model of a way did."""


class SentenceTranslator(Protocol):
    """From one language to another: with one model, or with two."""

    @property
    def reader(self) -> TextReader:
        """Reads texts for the first model."""

    async def translate(
        self,
        texts: Sequence[Sequence[SourceSentence]],
        prefixes: Sequence[str] | None,
        wants_links: Sequence[bool],
    ) -> TranslatedSentences:
        """Translate the sentences of all texts, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionResult:
    """Texts that were translated together."""

    translations: tuple[Translation, ...]
    times: StageTimes


class TextTranslator:
    """Translates texts of one request from one language to another; used from one event loop."""

    def __init__(
        self,
        way: SentenceTranslator,
        request: TranslateRequest,
        clock: Clock = time.monotonic,
        tracing: Tracing | None = None,
    ) -> None:
        self._way = way
        self._with_alignment = request.with_alignment
        self._num_alternatives = request.num_alternatives
        self._clock = clock
        self._tracing = tracing or Tracing()

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
        sources = await offload(size, _read_all, self._way.reader, texts)
        tokenized_s = self._clock()
        found, runs = await self._translate_sources(sources, prefixes)
        decoded_s = self._clock()
        translations = await offload(size, self._assemble, sources, found)
        moments = self._trace(runs, started_s, tokenized_s, decoded_s)
        return DirectionResult(translations=translations, times=stage_times(runs, moments))

    async def stream(
        self, text: str, num_sentences: int
    ) -> AsyncIterator[tuple[str, tuple[SentenceTranslation, ...]]]:
        """A translation in parts that joined are the whole, each with its sentences.

        Args:
            text: In the source language.
            num_sentences: How many are translated side by side.
        """
        started_s = self._clock()
        source = await offload(len(text), self._way.reader.read, text)
        tokenized_s = self._clock()
        source_offset = target_offset = 0
        for part in _parts(source, num_sentences):
            found, runs = await self._translate_sources([part], None)
            decoded_s = self._clock()
            (translation,) = self._assemble([part], found)
            self._trace(runs, started_s, tokenized_s, decoded_s)
            for piece, sentences in _sentence_by_sentence(part, translation):
                moved = [_moved(s, source_offset, target_offset) for s in sentences]
                yield piece, tuple(moved)
            source_offset += sum(len(p.markup.text) for p in part.passages if p.markup)
            target_offset += sum(map(len, _target_texts(found[0])))
            started_s = tokenized_s = self._clock()

    def _trace(self, runs: Runs, started_s: float, tokenized_s: float, decoded_s: float) -> Moments:
        """Note that a translation has ended."""
        moments = Moments(
            started_s=started_s,
            tokenized_s=tokenized_s,
            decoded_s=decoded_s,
            ended_s=self._clock(),
        )
        if self._tracing.is_on:
            results = [result for run in runs for result in run]
            self._tracing.record(stages(results, moments), now_s=moments.ended_s)
        return moments

    async def _translate_sources(
        self, sources: Sequence[SourceText], prefixes: Sequence[str] | None
    ) -> tuple[list[TranslatedText], Runs]:
        wanted = [self._with_alignment or has_tags for has_tags in _tagged(sources)]
        outcome = await self._way.translate([list(s.sentences) for s in sources], prefixes, wanted)
        return _by_passage(sources, outcome.sentences), outcome.runs

    def _assemble(
        self, sources: Sequence[SourceText], found: Sequence[TranslatedText]
    ) -> tuple[Translation, ...]:
        return tuple(
            assemble(source, passages, num_alternatives=self._num_alternatives)
            for source, passages in zip(sources, found, strict=True)
        )


def _tagged(sources: Sequence[SourceText]) -> Iterator[bool]:
    """Whether each sentence is of a passage with tags, which follow their words."""
    for source in sources:
        for passage in source.passages:
            has_tags = bool(passage.markup and passage.markup.tags)
            yield from (has_tags for _ in passage.sentences)


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
