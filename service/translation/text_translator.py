"""Texts of one direction: read, translated sentence by sentence, and assembled."""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

from service.observability.clock import Clock
from service.observability.tracing import Tracing
from service.text.masking.glossary import glossary_chars
from service.translation.sentences.doubt import checked
from service.translation.sentences.sentence_translator import SentenceTranslator
from service.translation.sentences.source_text import SourcePassage, SourceText, SourceTexts
from service.translation.sentences.target_text import TranslatedSentence, assemble_all
from service.translation.text_thread import TextThread
from service.translation.timings import Runs, Timeline
from service.translation.values import (
    SentenceTranslation,
    TranslateRequest,
    TranslateResult,
    Translation,
)


class TextTranslator:
    """Translates texts of one request from one language to another; used from one event loop."""

    def __init__(
        self,
        translator: SentenceTranslator,
        request: TranslateRequest,
        thread: TextThread | None = None,
        clock: Clock = time.monotonic,
        tracing: Tracing | None = None,
    ) -> None:
        self._translator = translator
        self.languages = translator.languages
        """Codes of source and target."""
        self._num_alternatives = request.num_alternatives
        self._with_doubt = request.with_doubt
        self._client = request.client
        self._num_glossary_chars = glossary_chars(request.glossary) if request.glossary else 0
        self._thread = thread or TextThread()
        self._clock = clock
        self._tracing = tracing or Tracing()

    async def translate(
        self, texts: Sequence[str], prefixes: Sequence[str] | None
    ) -> TranslateResult:
        """Translates all texts, or none.

        Args:
            texts: In the source language.
            prefixes: What each translation begins with.

        Raises:
            ServiceError: See `service.errors`.
        """
        started_s = self._clock()
        source = await self._read(texts, prefixes)
        tokenized_s = self._clock()
        found = await self._translator.translate(source.sentences)
        decoded_s = self._clock()
        translations = await self._assembled(source, found.sentences)
        timeline = self._traced(found.runs, started_s, tokenized_s, decoded_s)
        return TranslateResult(translations=translations, times=timeline.times())

    async def stream(
        self, text: str, num_sentences: int
    ) -> AsyncIterator[tuple[str, tuple[SentenceTranslation, ...]]]:
        """Translates a text in parts; joined they are the whole, each with its sentences.

        Args:
            text: In the source language.
            num_sentences: How many are translated side by side.
        """
        started_s = self._clock()
        source = await self._read((text,), None)
        tokenized_s = self._clock()
        source_offset = target_offset = 0
        for part in _parts(source, num_sentences):
            found = await self._translator.translate(part.sentences)
            decoded_s = self._clock()
            (translation,) = await self._assembled(part, found.sentences)
            self._traced(found.runs, started_s, tokenized_s, decoded_s)
            for piece, sentences in _sentence_by_sentence(part.texts[0], translation):
                moved = [_moved(s, source_offset, target_offset) for s in sentences]
                yield piece, tuple(moved)
            source_offset += _source_length(part.texts[0])
            target_offset += _target_length(found.sentences)
            started_s = tokenized_s = self._clock()

    async def _read(self, texts: Sequence[str], prefixes: Sequence[str] | None) -> SourceTexts:
        size = sum(map(len, texts)) + self._num_glossary_chars
        read = self._translator.reader.read
        return await self._thread.run(self._client, size, read, texts, prefixes)

    async def _assembled(
        self, source: SourceTexts, sentences: Sequence[TranslatedSentence]
    ) -> tuple[Translation, ...]:
        # Glossary terms may be far longer in the translation than in the source.
        size = sum(len(s.source.segment.text) + len(s.best.text) for s in sentences)
        size += sum(len(part) for text in source.texts for part in text if isinstance(part, str))
        return await self._thread.run(self._client, size, self._assemble, source, sentences)

    def _assemble(
        self, source: SourceTexts, sentences: Sequence[TranslatedSentence]
    ) -> tuple[Translation, ...]:
        rated = checked(sentences, *self.languages) if self._with_doubt else sentences
        return assemble_all(source, rated, self._num_alternatives)

    def _traced(
        self, runs: Runs, started_s: float, tokenized_s: float, decoded_s: float
    ) -> Timeline:
        """The timeline of a translation that has ended; its stages become spans of the trace."""
        timeline = Timeline(
            started_s=started_s,
            tokenized_s=tokenized_s,
            decoded_s=decoded_s,
            ended_s=self._clock(),
            runs=runs,
        )
        if self._tracing.is_on:
            self._tracing.record(timeline.stages(), now_s=timeline.ended_s)
        return timeline


def _parts(source: SourceTexts, num_sentences: int) -> Iterator[SourceTexts]:
    """A text in parts of a few sentences; a passage with tags, which may move, is one part."""
    (text,) = source.texts
    for part in text:
        if isinstance(part, str):
            yield SourceTexts(texts=((part,),), sentences=[])
        elif part.markup is not None:
            yield _part(source, part, part.sentences)
        else:
            for start in range(0, len(part.sentences), num_sentences):
                yield _part(source, part, part.sentences[start : start + num_sentences])


def _part(source: SourceTexts, passage: SourcePassage, indices: range) -> SourceTexts:
    """Some sentences of a passage as a text of their own."""
    own = replace(passage, sentences=range(len(indices)))
    return SourceTexts(texts=((own,),), sentences=[source.sentences[i] for i in indices])


def _sentence_by_sentence(
    source: SourceText, translation: Translation
) -> Iterator[tuple[str, tuple[SentenceTranslation, ...]]]:
    """A translation in parts of one sentence, each with the text behind it.

    A marked-up one stays whole: its offsets are not those of its text.
    """
    sentences = translation.sentences
    is_marked_up = any(isinstance(part, str) or part.markup is not None for part in source)
    if is_marked_up or len(sentences) < 2:
        yield translation.text, sentences
        return
    starts = [0, *(sentence.target_span[0] for sentence in sentences[1:])]
    ends = [*starts[1:], len(translation.text)]
    for start, end, sentence in zip(starts, ends, sentences, strict=True):
        yield translation.text[start:end], (sentence,)


def _moved(
    sentence: SentenceTranslation, source_offset: int, target_offset: int
) -> SentenceTranslation:
    """A sentence with its offsets in the whole text."""
    start, end = sentence.source_span
    target_start, target_end = sentence.target_span
    return replace(
        sentence,
        source_span=(start + source_offset, end + source_offset),
        target_span=(target_start + target_offset, target_end + target_offset),
    )


def _source_length(text: SourceText) -> int:
    """What the source offsets of later parts have to be moved by: only markup counts anew."""
    passages = (part for part in text if isinstance(part, SourcePassage))
    return sum(len(passage.markup.text) for passage in passages if passage.markup)


def _target_length(sentences: Sequence[TranslatedSentence]) -> int:
    """Length of what the target offsets of a part's sentences count in."""
    return sum(len(s.best.text) + len(s.source.segment.separator) for s in sentences)
