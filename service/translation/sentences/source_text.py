"""Texts before the model: one list of sentences with token ids, and what stays around them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.errors import InvalidRequestError, TextTooLongError
from service.scheduling.slices import SENTENCES_A_BREATH, breathe
from service.text.invisible import Visible, visible_part
from service.text.markup.document import read_markup
from service.text.markup.passage import MarkupOptions, Passage
from service.text.masking.glossary import GlossaryEntry, GlossaryError, glossary_of
from service.text.masking.placeholders import find_placeholders
from service.text.masking.preprocessing import Preprocessed, PreprocessingOptions, preprocess
from service.text.masking.protected import Protected, cut_around
from service.text.masking.symbols import PLAIN_SYMBOLS
from service.text.segmentation.fitting import split_to_fit
from service.text.segmentation.segment import Segment
from service.text.segmentation.splitter import SplitMode, split
from service.text.segmentation.unwrap import Unwrapped, unwrap
from service.text.unicode import check_unicode
from service.translation.text_limits import UNLIMITED, TextLimits

_CHARS_PER_TOKEN = 4
"""First guess of how much fits; a wrong one costs a few more tokenisations."""
_MAX_CHARS_PER_TOKEN = 32
"""A sentence with more characters than this is split before it is tokenised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How texts are read."""

    markup: MarkupOptions | None = None
    """None: plain text."""
    splitting: SplitMode = "sentences"
    unwrap: bool = False
    """Whether the lines of a paragraph are joined."""
    glossary: tuple[GlossaryEntry, ...] = ()
    tries_without_masks: bool = False
    """Whether the model sees glossary terms at first, so that it can inflect their translation."""
    with_alignment: bool = False
    """Whether every sentence needs word links, not only those with tags."""
    limits: TextLimits = UNLIMITED


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSentence:
    """A sentence, or a part of one that is too long for the model."""

    segment: Segment
    """Where it stands in its passage."""
    preprocessed: Preprocessed | None = None
    """None where nothing in it changes."""
    source_ids: tuple[int, ...] = ()
    """Language prefix, pieces, end token; empty where the model is not needed."""
    prefix_ids: tuple[int, ...] = ()
    """What its translation has to begin with."""
    sentinels: frozenset[str] = frozenset()
    """Characters of its passage that each stand for markup."""
    needs_links: bool = False
    """Whether its words must be linked with those of the translation."""
    shows_terms: bool = False
    """Whether the model sees its glossary terms; otherwise they are masked."""

    @property
    def visible(self) -> Visible:
        """The sentence without invisible characters."""
        return self.preprocessed.visible if self.preprocessed else visible_part(self.segment.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePassage:
    """Running text."""

    sentences: range
    """Its sentences in the list of all; their segments joined are the passage."""
    markup: Passage | None = None
    """None in a plain text."""
    unwrapped: Unwrapped | None = None
    """None unless the passage was hard-wrapped text."""


SourceText = tuple[str | SourcePassage, ...]
"""The passages of a text, and in a marked-up one the markup between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTexts:
    """Texts that are translated together."""

    texts: tuple[SourceText, ...]
    sentences: list[SourceSentence]
    """Sentences of all texts, in order."""


class TextReader:
    """Reads texts for one direction of a model."""

    def __init__(self, bundle: Bundle, pair: LanguagePair, options: ReadOptions) -> None:
        """Checks the glossary.

        Raises:
            InvalidRequestError: The glossary cannot be used.
        """
        self._tokenizer = bundle.tokenizer
        self._pair = pair
        self._options = options
        self._max_tokens = bundle.manifest.max_source_tokens
        try:
            glossary = glossary_of(options.glossary) if options.glossary else None
        except GlossaryError as error:
            raise InvalidRequestError(f"Invalid request: {error}") from error
        self._preprocessing = PreprocessingOptions(
            source_language=pair.source,
            target_language=pair.target,
            glossary=glossary,
            symbols=bundle.manifest.placeholders or PLAIN_SYMBOLS,
        )

    def read(self, texts: Sequence[str], prefixes: Sequence[str] | None = None) -> SourceTexts:
        """Splits texts into sentences that fit the model; nothing is left out.

        Args:
            texts: In the source language.
            prefixes: What the translation of each text has to begin with.

        Raises:
            InvalidRequestError: A text is not valid Unicode, a prefix cannot be used, or there
                are too many sentences.
            TextTooLongError: A single character exceeds the model's limit.
        """
        sentences: list[SourceSentence] = []
        read: list[SourceText] = []
        for text, prefix in zip(texts, prefixes or ("",) * len(texts), strict=True):
            first = len(sentences)
            read.append(tuple(self._read_text(text, sentences)))
            if prefix:
                self._put_prefix(prefix, sentences, first)
        return SourceTexts(texts=tuple(read), sentences=sentences)

    def read_running(self, text: str, like: SourceSentence) -> Iterator[SourceSentence]:
        """Splits a text that has neither markup nor hard line breaks.

        Args:
            text: The segments of its sentences joined are this text.
            like: Says which characters stand for markup and whether words must be linked.

        Raises:
            TextTooLongError: A single character exceeds the model's limit.
        """
        return self._sentences(text, like.sentinels, needs_links=like.needs_links)

    def with_masked_numbers(self, sentence: SourceSentence) -> SourceSentence:
        """The sentence with all its numbers masked; as it is where that changes nothing.

        It stays as it is as well if it would not fit the model any more.
        """
        options = replace(self._preprocessing, masks_numbers=True)
        preprocessed = preprocess(sentence.segment.text, options, sentence.sentinels)
        source_ids = self.encode(preprocessed.text)
        if not preprocessed.needs_model or len(source_ids) > self._max_tokens:
            return sentence
        return replace(
            sentence, preprocessed=preprocessed, source_ids=source_ids, shows_terms=False
        )

    def with_masked_terms(self, sentence: SourceSentence) -> SourceSentence:
        """A sentence whose terms the model has seen, with its terms masked."""
        preprocessed = preprocess(sentence.segment.text, self._preprocessing, sentence.sentinels)
        source_ids = self.encode(preprocessed.text)
        return replace(
            sentence, preprocessed=preprocessed, source_ids=source_ids, shows_terms=False
        )

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that is shown to the model."""
        return tuple(self._tokenizer.encode_source(text, self._pair))

    def _read_text(
        self, text: str, sentences: list[SourceSentence]
    ) -> Iterator[str | SourcePassage]:
        """Yields the parts of a text and appends its sentences to `sentences`."""
        if not text.isascii():
            check_unicode(text)
        if self._options.markup is not None:
            for part in read_markup(text, self._options.markup):
                if isinstance(part, str):
                    yield part
                else:
                    sentinels = frozenset(part.sentinels)
                    found = self._sentences(part.text, sentinels, needs_links=bool(part.tags))
                    yield SourcePassage(sentences=self._appended(found, sentences), markup=part)
        elif self._options.unwrap:
            unwrapped = unwrap(text)
            found = self._sentences(unwrapped.text)
            yield SourcePassage(sentences=self._appended(found, sentences), unwrapped=unwrapped)
        else:
            yield SourcePassage(sentences=self._appended(self._sentences(text), sentences))

    def _appended(self, found: Iterable[SourceSentence], sentences: list[SourceSentence]) -> range:
        """Appends to `sentences`; returns where the new ones are."""
        first, most = len(sentences), self._options.limits.max_sentences
        for sentence in found:
            sentences.append(sentence)
            if most is not None and len(sentences) > most:
                self._options.limits.check_sentences(len(sentences))
            if len(sentences) % SENTENCES_A_BREATH == 0:
                breathe()
        return range(first, len(sentences))

    def _put_prefix(self, prefix: str, sentences: list[SourceSentence], first: int) -> None:
        """Gives a text's prefix to its first sentence that the model translates."""
        index = next((i for i in range(first, len(sentences)) if sentences[i].source_ids), None)
        if index is None:
            raise InvalidRequestError(
                "Invalid request: a text without letters is not translated: send it no prefix"
            )
        check_unicode(prefix)
        prefix_ids = tuple(self._tokenizer.encode_target(visible_part(prefix).text)[:-1])
        sentences[index] = replace(sentences[index], prefix_ids=prefix_ids)

    def _sentences(
        self, text: str, sentinels: frozenset[str] = frozenset(), *, needs_links: bool = False
    ) -> Iterator[SourceSentence]:
        for segment in split(text, self._pair.source, mode=self._options.splitting):
            sentence = SourceSentence(
                segment=segment,
                sentinels=sentinels,
                needs_links=needs_links or self._options.with_alignment,
            )
            yield from self._fitting(sentence)

    def _fitting(self, sentence: SourceSentence) -> Iterator[SourceSentence]:
        """Encodes a sentence, in several parts if it does not fit the model."""
        segment = sentence.segment
        if len(segment.text) <= _MAX_CHARS_PER_TOKEN * self._max_tokens:
            encoded = self._encoded(sentence)
            if len(encoded.source_ids) <= self._max_tokens:
                yield encoded
                return
        protected = find_placeholders(segment.text)
        parts = _cut(segment, protected) if protected else [segment]
        for part in parts:
            if isinstance(part, Protected):
                yield SourceSentence(segment=_at(segment, part.start, part.replacement))
            else:
                yield from self._split(replace(sentence, segment=part))

    def _split(self, sentence: SourceSentence) -> Iterator[SourceSentence]:
        """Splits a sentence that may be too long into parts that fit."""
        whole = sentence.segment
        guess = _CHARS_PER_TOKEN * self._max_tokens
        fits = partial(self._fits, sentinels=sentence.sentinels)
        parts = split_to_fit(whole.text, fits, guess=guess)
        for part in parts or [Segment(text="", separator="", start=0)]:
            is_last = part.end + len(part.separator) == len(whole.text)
            segment = Segment(
                text=part.text,
                separator=whole.separator if is_last else part.separator,
                start=whole.start + part.start,
            )
            yield self._checked(self._encoded(replace(sentence, segment=segment)))

    def _fits(self, text: str, sentinels: Collection[str]) -> bool:
        breathe()
        shown = preprocess(text, self._preprocessing, sentinels).text
        return len(self.encode(shown)) <= self._max_tokens

    def _encoded(self, sentence: SourceSentence) -> SourceSentence:
        """Preprocesses a sentence and tokenises what the model is shown of it."""
        preprocessed = preprocess(sentence.segment.text, self._preprocessing, sentence.sentinels)
        if not preprocessed.needs_model:
            return replace(sentence, preprocessed=preprocessed if preprocessed.has_terms else None)
        source_ids = self.encode(preprocessed.masked.text)
        masked = replace(sentence, preprocessed=preprocessed, source_ids=source_ids)
        if not (self._options.tries_without_masks and preprocessed.terms):
            return masked
        return self._with_shown_terms(masked)

    def _with_shown_terms(self, masked: SourceSentence) -> SourceSentence:
        """The sentence with the terms that it has; masked, where it fits the model only so."""
        options = replace(self._preprocessing, masks_terms=False)
        preprocessed = preprocess(masked.segment.text, options, masked.sentinels)
        source_ids = self.encode(preprocessed.text)
        if max(len(source_ids), len(masked.source_ids)) > self._max_tokens:
            return masked
        return replace(masked, preprocessed=preprocessed, source_ids=source_ids, shows_terms=True)

    def _checked(self, sentence: SourceSentence) -> SourceSentence:
        if len(sentence.source_ids) > self._max_tokens:
            raise TextTooLongError(
                f"Invalid request: character {sentence.segment.start} alone has "
                f"{len(sentence.source_ids)} tokens; this model takes {self._max_tokens}: leave it "
                "out"
            )
        return sentence


def _cut(segment: Segment, protected: Sequence[Protected]) -> Iterator[Segment | Protected]:
    """Cuts a segment around what must stay whole; its separator follows the last part."""
    offset = 0
    for part in cut_around(segment.text, protected):
        if isinstance(part, Protected):
            yield part
            offset = part.end
        else:
            yield from _stripped(part, segment.start + offset)
            offset += len(part)
    yield Segment(text="", separator=segment.separator, start=segment.end)


def _stripped(text: str, start: int) -> Iterator[Segment]:
    """Text with its white space as separators."""
    content = text.strip()
    leading = len(text) - len(text.lstrip())
    if leading:
        yield Segment(text="", separator=text[:leading], start=start)
    if content:
        separator = text[leading + len(content) :]
        yield Segment(text=content, separator=separator, start=start + leading)


def _at(whole: Segment, offset: int, text: str) -> Segment:
    return Segment(text=text, separator="", start=whole.start + offset)
