"""A text on its way to the model: sentences with their token ids, and what stays as it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.errors import InvalidRequestError, TextTooLongError
from service.text.markup.document import read_markup
from service.text.markup.passage import MarkupOptions, Passage
from service.text.masking.edits import Protected
from service.text.masking.glossary import Glossary, GlossaryEntry, GlossaryError
from service.text.masking.placeholders import find_placeholders
from service.text.masking.preprocessing import Preprocessed, PreprocessingOptions, preprocess
from service.text.masking.symbols import PLAIN_SYMBOLS, cut_around
from service.text.segmentation.fitting import split_to_fit
from service.text.segmentation.segment import Segment
from service.text.segmentation.splitter import SplitMode, split
from service.text.segmentation.unwrap import Unwrapped, unwrap
from service.text.unicode import check_unicode

_CHARS_PER_TOKEN = 4
"""First guess of how much fits; a wrong one costs a few more tokenisations."""
_MAX_CHARS_PER_TOKEN = 32
"""Beyond this many a sentence is cut without being tokenised whole first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How a text is to be read."""

    markup: MarkupOptions | None = None
    """None: plain text."""
    splitting: SplitMode = "sentences"
    unwrap: bool = False
    glossary: tuple[GlossaryEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSentence:
    """What the model sees as one."""

    segment: Segment
    """Where it stands in its passage."""
    preprocessed: Preprocessed | None = None
    """None where there is nothing to translate."""
    source_ids: tuple[int, ...] = ()
    """Language prefix, pieces, end token; empty where there is nothing to translate."""
    sentinels: str = ""
    """Characters of its passage that each stand for an element that must come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePassage:
    """Running text, sentence by sentence; their segments joined are the passage."""

    sentences: tuple[SourceSentence, ...]
    markup: Passage | None = None
    """None in a plain text."""
    unwrapped: Unwrapped | None = None
    """Where the passage was hard-wrapped text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceText:
    """A whole text: passages, and in a marked-up one what stands between them."""

    parts: tuple[str | SourcePassage, ...]

    @property
    def passages(self) -> Iterator[SourcePassage]:
        """What may be translated."""
        return (part for part in self.parts if isinstance(part, SourcePassage))

    @property
    def sentences(self) -> Iterator[SourceSentence]:
        """Of all passages, in order."""
        return (sentence for passage in self.passages for sentence in passage.sentences)


class TextReader:
    """Reads texts of one direction of a model."""

    def __init__(self, bundle: Bundle, pair: LanguagePair, options: ReadOptions) -> None:
        """Check the glossary.

        Raises:
            InvalidRequestError: It cannot be used.
        """
        self._tokenizer = bundle.tokenizer
        self._pair = pair
        self._options = options
        self._max_tokens = bundle.manifest.max_source_tokens
        try:
            glossary = Glossary(options.glossary)
        except GlossaryError as error:
            raise InvalidRequestError(f"Invalid request: {error}") from error
        self._preprocessing = PreprocessingOptions(
            source_language=pair.source,
            target_language=pair.target,
            glossary=glossary,
            symbols=bundle.manifest.placeholders or PLAIN_SYMBOLS,
        )

    def read(self, text: str) -> SourceText:
        """Cut `text` into sentences that the model can take; nothing is left out.

        Raises:
            InvalidRequestError: The text is no valid Unicode.
            TextTooLongError: A single character is over the model's limit.
        """
        check_unicode(text)
        if self._options.markup is not None:
            parts = read_markup(text, self._options.markup)
            return SourceText(parts=tuple(map(self._read_part, parts)))
        if self._options.unwrap:
            unwrapped = unwrap(text)
            sentences = tuple(self._sentences(unwrapped.text))
            return SourceText(parts=(SourcePassage(sentences=sentences, unwrapped=unwrapped),))
        return SourceText(parts=(SourcePassage(sentences=tuple(self._sentences(text))),))

    def read_running(self, text: str, sentinels: str = "") -> tuple[SourceSentence, ...]:
        """Sentences of a text that has neither markup nor hard line breaks.

        Args:
            text: Their segments joined are this text.
            sentinels: Characters of it that each stand for something that must come back.

        Raises:
            TextTooLongError: A single character is over the model's limit.
        """
        return tuple(self._sentences(text, sentinels))

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of what the model is to see."""
        return tuple(self._tokenizer.encode_source(text, self._pair))

    def _read_part(self, part: str | Passage) -> str | SourcePassage:
        if isinstance(part, str):
            return part
        return SourcePassage(
            sentences=tuple(self._sentences(part.text, part.sentinels)), markup=part
        )

    def _sentences(self, text: str, sentinels: str = "") -> Iterator[SourceSentence]:
        for segment in split(text, self._pair.source, mode=self._options.splitting):
            yield from self._read_segment(segment, sentinels)

    def _read_segment(self, segment: Segment, sentinels: str) -> Iterator[SourceSentence]:
        if len(segment.text) <= _MAX_CHARS_PER_TOKEN * self._max_tokens:
            sentence = self._sentence(segment, sentinels)
            if len(sentence.source_ids) <= self._max_tokens:
                yield sentence
                return
        protected = find_placeholders(segment.text)
        parts = _cut(segment, protected) if protected else [segment]
        for part in parts:
            if isinstance(part, Protected):
                yield SourceSentence(segment=_at(segment, part.start, part.replacement))
            else:
                yield from self._fitting(part, sentinels)

    def _fitting(self, whole: Segment, sentinels: str) -> Iterator[SourceSentence]:
        """Sentences that fit, of a segment that may not."""
        guess = _CHARS_PER_TOKEN * self._max_tokens
        parts = split_to_fit(whole.text, lambda text: self._fits(text, sentinels), guess=guess)
        for part in parts or [Segment(text="", separator="", start=0)]:
            is_last = part.end + len(part.separator) == len(whole.text)
            segment = Segment(
                text=part.text,
                separator=whole.separator if is_last else part.separator,
                start=whole.start + part.start,
            )
            yield self._checked(self._sentence(segment, sentinels))

    def _fits(self, text: str, sentinels: str) -> bool:
        shown = preprocess(text, self._preprocessing, sentinels).text
        return len(self.encode(shown)) <= self._max_tokens

    def _sentence(self, segment: Segment, sentinels: str) -> SourceSentence:
        preprocessed = preprocess(segment.text, self._preprocessing, sentinels)
        if not preprocessed.needs_model:
            return SourceSentence(
                segment=segment, preprocessed=preprocessed if preprocessed.has_terms else None
            )
        return SourceSentence(
            segment=segment,
            preprocessed=preprocessed,
            source_ids=self.encode(preprocessed.text),
            sentinels=sentinels,
        )

    def _checked(self, sentence: SourceSentence) -> SourceSentence:
        if len(sentence.source_ids) > self._max_tokens:
            raise TextTooLongError(
                f"Invalid request: character {sentence.segment.start} alone has "
                f"{len(sentence.source_ids)} tokens; this model takes {self._max_tokens}"
            )
        return sentence


def _cut(segment: Segment, protected: Sequence[Protected]) -> Iterator[Segment | Protected]:
    """A segment around what must stay whole, with its separator behind the last part."""
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
