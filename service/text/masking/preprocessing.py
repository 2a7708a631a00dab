"""A sentence as the model is shown it, and how the model's answer is turned back.

Taken off, and put on again: bullets and emoji around it, capitals, and what must not be translated.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from service.text.alignment.no_break_spaces import NO_BREAK_SPACES
from service.text.masking.casing import Case, case_of, recase, truecase
from service.text.masking.edits import Protected, Rewritten
from service.text.masking.glossary import Glossary
from service.text.masking.placeholders import find_placeholders
from service.text.masking.symbols import Masked, cut_around, mask, unmask
from service.text.shape import Trimmed, needs_model, trim

_SPACES = str.maketrans(dict.fromkeys(NO_BREAK_SPACES, " "))


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessingOptions:
    """What a direction of a model, and a request, say about it."""

    source_language: str
    target_language: str
    glossary: Glossary
    symbols: tuple[str, ...] = ()
    """Pieces that the model copies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessed:
    """A sentence taken apart."""

    trimmed: Trimmed
    case: Case
    masked: Masked
    target_language: str
    needs_model: bool
    """Whether there is more in it than what is given."""
    has_terms: bool
    """Whether something in it becomes something else without the model."""

    @property
    def text(self) -> str:
        """What the model sees."""
        return self.masked.text

    @property
    def offset(self) -> int:
        """Where in the sentence begins what the model sees."""
        return len(self.trimmed.prefix)

    @property
    def given(self) -> str:
        """The sentence with its terms replaced, where no model is needed."""
        parts = cut_around(self.masked.text, self.masked.protected)
        shown = [part if isinstance(part, str) else part.replacement for part in parts]
        return self.whole("".join(shown))

    def reveal(self, target: str) -> Rewritten | None:
        """From the model's answer, recased, to the core of the translation.

        None if it lost or doubled something protected.
        """
        # Symbols have no case, and what was not masked is known by its text.
        return unmask(self.recased(target), self.masked)

    def recased(self, target: str) -> str:
        """The model's answer in the case of the source."""
        kept = [stretch.replacement for stretch in self.masked.protected]
        return recase(target, self.case, self.target_language, kept)

    def whole(self, core: str) -> str:
        """The translation of the whole sentence."""
        return self.trimmed.prefix + core + self.trimmed.suffix


def preprocess(sentence: str, options: PreprocessingOptions, sentinels: str = "") -> Preprocessed:
    """Take a sentence apart; nothing of it is lost.

    Args:
        sentence: Without white space at either end.
        options: Of the direction and the request.
        sentinels: Characters that each stand for something that must come back.
    """
    parts = trim(sentence)
    fixed = _disjoint(
        [
            *_sentinels(parts.core, sentinels),
            *find_placeholders(parts.core, options.source_language),
        ]
    )
    protected = _disjoint([*fixed, *options.glossary.find(parts.core)])
    case = case_of(parts.core, options.source_language, protected)
    plain = truecase(parts.core, case, protected)
    free = [part for part in cut_around(parts.core, protected) if isinstance(part, str)]
    shown = _with_plain_spaces(plain, protected)
    return Preprocessed(  # nosec B604
        trimmed=parts,
        case=case,
        masked=mask(shown, protected, options.symbols),
        target_language=options.target_language,
        needs_model=any(map(needs_model, free)),
        has_terms=len(protected) > len(fixed),
    )


def _sentinels(text: str, characters: str) -> list[Protected]:
    known = frozenset(characters)
    return [
        Protected(start=at, end=at + 1, replacement=character)
        for at, character in enumerate(text)
        if character in known
    ]


def _with_plain_spaces(text: str, protected: Sequence[Protected]) -> str:
    """Of the same length, without the spaces that models have hardly ever seen."""
    return "".join(
        text[part.start : part.end] if isinstance(part, Protected) else part.translate(_SPACES)
        for part in cut_around(text, protected)
    )


def _disjoint(stretches: Sequence[Protected]) -> list[Protected]:
    """By position, without those that overlap an earlier one in the list."""
    taken: list[Protected] = []
    for stretch in stretches:
        at = bisect_left(taken, stretch.start, key=lambda other: other.start)
        is_free = (at == 0 or taken[at - 1].end <= stretch.start) and (
            at == len(taken) or stretch.end <= taken[at].start
        )
        if is_free:
            taken.insert(at, stretch)
    return taken
