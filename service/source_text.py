"""A text on its way to the model: sentences with their token ids, and what stays as it is."""

from dataclasses import dataclass

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.errors import InvalidRequestError, TextTooLongError
from service.text.fitting import split_to_fit
from service.text.segment import Segment
from service.text.segmentation import split

_CHARS_PER_TOKEN = 4
"""First guess of how much fits; a wrong one costs a few more tokenisations."""
_MAX_CHARS_PER_TOKEN = 32
"""Beyond this many a sentence is cut without being tokenised whole first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSentence:
    """What the model sees as one."""

    segment: Segment
    source_ids: tuple[int, ...] = ()
    """Language prefix, pieces, end token; empty where there is nothing to translate."""


def read_sentences(text: str, bundle: Bundle, pair: LanguagePair) -> list[SourceSentence]:
    """Cut `text` into sentences that the model can take; nothing is left out.

    Raises:
        InvalidRequestError: The text is no valid Unicode.
        TextTooLongError: A single character is over the model's limit.
    """
    check_unicode(text)
    return [
        sentence
        for segment in split(text)
        for sentence in _read_segment(segment, _SourceEncoder(bundle, pair))
    ]


def check_unicode(text: str) -> None:
    """Refuse halves of surrogate pairs, which no tokenizer and no UTF-8 can represent.

    Raises:
        InvalidRequestError: Says where the first one is.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequestError(
            f"Invalid request: character {error.start} is half of a surrogate pair: "
            "send valid Unicode"
        ) from error


def has_letters(text: str) -> bool:
    """Whether there is anything to translate: digits, marks and emoji are the same everywhere."""
    return any(character.isalpha() for character in text)


class _SourceEncoder:
    """Token ids of one direction, and whether they are few enough."""

    def __init__(self, bundle: Bundle, pair: LanguagePair) -> None:
        self._tokenizer = bundle.tokenizer
        self._pair = pair
        self.max_tokens = bundle.manifest.max_source_tokens

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode_source(text, self._pair))

    def fits(self, text: str) -> bool:
        return len(self.encode(text)) <= self.max_tokens


def _read_segment(segment: Segment, encoder: _SourceEncoder) -> list[SourceSentence]:
    if not has_letters(segment.text):
        return [SourceSentence(segment=segment)]
    if len(segment.text) <= _MAX_CHARS_PER_TOKEN * encoder.max_tokens:
        source_ids = encoder.encode(segment.text)
        if len(source_ids) <= encoder.max_tokens:
            return [SourceSentence(segment=segment, source_ids=source_ids)]
    guess = _CHARS_PER_TOKEN * encoder.max_tokens
    parts = split_to_fit(segment.text, encoder.fits, guess=guess)
    return [_read_part(part, segment, encoder) for part in parts]


def _read_part(part: Segment, whole: Segment, encoder: _SourceEncoder) -> SourceSentence:
    is_last = part.end + len(part.separator) == len(whole.text)
    segment = Segment(
        text=part.text,
        separator=whole.separator if is_last else part.separator,
        start=whole.start + part.start,
    )
    if not has_letters(part.text):
        return SourceSentence(segment=segment)
    source_ids = encoder.encode(part.text)
    if len(source_ids) > encoder.max_tokens:
        raise TextTooLongError(
            f"Invalid request: character {segment.start} alone has {len(source_ids)} tokens; "
            f"this model takes {encoder.max_tokens}"
        )
    return SourceSentence(segment=segment, source_ids=source_ids)
