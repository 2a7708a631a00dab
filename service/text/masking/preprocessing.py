"""A sentence as the model sees it, and the way back from the model's output.

Removed before the model and restored after it: bullets and emoji around the sentence, capitals,
no-break spaces, and spans that must not be translated. Invisible characters are left out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from service.text.alignment.no_break_spaces import NO_BREAK_SPACES
from service.text.checks.check import SentencePair
from service.text.checks.numbers import check_numbers
from service.text.invisible import INVISIBLE, Visible, visible_part
from service.text.masking.casing import Case, case_of, recase, truecase
from service.text.masking.edits import Rewritten, joined
from service.text.masking.glossary import Glossary, GlossaryEntry
from service.text.masking.mending import mend_numbers
from service.text.masking.names import KnownWords, mend_names
from service.text.masking.numbers import localised_numbers
from service.text.masking.placeholders import find_placeholders
from service.text.masking.protected import Protected, cut_around, disjoint
from service.text.masking.symbols import Masked, mask, unmask
from service.text.numbers.locales import number_locales
from service.text.shape import Trimmed, needs_model, trim

_PLAIN_SPACES = str.maketrans(dict.fromkeys(NO_BREAK_SPACES, " "))


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessingOptions:
    """What a model's direction and a request determine."""

    source_language: str
    target_language: str
    glossary: Glossary | None = None
    masks_terms: bool = True
    """Whether glossary terms are masked; otherwise the model translates them by itself."""
    symbols: tuple[str, ...] = ()
    """Pieces that the model copies."""
    masks_numbers: bool = False
    """Whether also those numbers are masked that models often get right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessed:
    """A sentence in the parts that its translation is put together from."""

    visible: Visible
    """The sentence without invisible characters; what its placeholders have stays."""
    trimmed: Trimmed
    """Of the visible sentence."""
    case: Case
    needs_model: bool
    """Whether anything in it has to be translated."""
    has_terms: bool
    """Whether it has glossary terms or times of day, which change without the model."""
    terms: tuple[GlossaryEntry, ...]
    """Glossary terms as they occur, with what they have to become; masked or not."""
    masked: Masked
    source_language: str
    target_language: str

    @property
    def text(self) -> str:
        """What the model sees."""
        return self.masked.text

    @property
    def offset(self) -> int:
        """Offset in the whole translation of that of the core."""
        return len(self.trimmed.prefix)

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """`[start, end)` of the text that the model sees in the sentence."""
        offset = self.offset
        start, end = self.masked.rewritten.old_span(start, end)
        span = start + offset, end + offset
        return span if self.visible.offsets is None else self.visible.whole_span(*span)

    def without_model(self) -> str:
        """The sentence with its terms replaced and nothing else translated."""
        parts = cut_around(self.masked.text, self.masked.protected)
        return self.whole("".join(p if isinstance(p, str) else p.replacement for p in parts))

    def recased(self, target: str) -> str:
        """The model's output in the case of the source."""
        if self.case == "as_is":
            return target
        return recase(target, self.case, self.target_language, self._protected_texts())

    def unmasked(self, recased: str) -> Rewritten | None:
        """The model's recased output with its symbols replaced.

        Symbols have no case, and spans that were not masked are recognised by their text.

        Returns:
            None if something protected is missing or doubled.
        """
        return unmask(recased, self.masked)

    def mended(self, core: str, known: KnownWords | None = None) -> Rewritten:
        """The translation of the core with the numbers of the source, and its unknown names.

        Args:
            core: The translation.
            known: Words of the text that the model was trained on; None: names stay.
        """
        numbers = self._with_numbers(core)
        if known is None or self.case != "as_is":
            return numbers
        languages = (self.source_language, self.target_language)
        names = mend_names(numbers.text, self.masked, languages, known)
        return joined(numbers, names) if names.edits else numbers

    def _with_numbers(self, core: str) -> Rewritten:
        locales = number_locales(self.source_language, self.target_language)
        if locales is None:
            return Rewritten(text=core)
        return mend_numbers(core, self.masked, locales, self._protected_texts())

    def keeps_numbers(self, core: str) -> bool:
        """Whether the translation of the core has the numbers of the source, and no others."""
        pair = SentencePair(
            source=self.trimmed.core,
            target=core,
            source_language=self.source_language,
            target_language=self.target_language,
        )
        return next(check_numbers(pair), None) is None

    def _protected_texts(self) -> list[str]:
        return [span.replacement for span in self.masked.protected]

    def whole(self, core: str) -> str:
        """The translation of the whole sentence, from that of its core."""
        return self.trimmed.prefix + core + self.trimmed.suffix


def preprocess(
    sentence: str, options: PreprocessingOptions, sentinels: Collection[str] = ()
) -> Preprocessed:
    """Prepares a sentence for the model; nothing of it is lost that can be seen.

    Args:
        sentence: Without white space at either end.
        options: Of the direction and the request.
        sentinels: Characters that each stand for markup that must come back; a set, if many.
    """
    visible = _visible(sentence, options.source_language)
    trimmed = trim(visible.text)
    core = trimmed.core
    terms = options.glossary.find(core) if options.glossary else []
    kept = terms if options.masks_terms else []
    placeholders = _placeholders(core, kept, options)
    fixed = disjoint([*_sentinels(core, sentinels), *placeholders] if sentinels else placeholders)
    protected = disjoint([*fixed, *kept]) if kept else fixed
    parts = cut_around(core, protected)
    case = case_of(parts, options.source_language)
    plain = truecase(core, case, parts, options.source_language)
    if not NO_BREAK_SPACES.isdisjoint(plain):
        plain = _with_plain_spaces(plain, protected)
    return Preprocessed(  # nosec B604
        visible=visible,
        trimmed=trimmed,
        case=case,
        needs_model=any(needs_model(part) for part in parts if isinstance(part, str)),
        has_terms=len(protected) > len(fixed) or _has_rewritten(core, protected),
        terms=_entries(core, terms, protected if options.masks_terms else terms),
        masked=mask(plain, protected, options.symbols),
        source_language=options.source_language,
        target_language=options.target_language,
    )


def _visible(sentence: str, language: str) -> Visible:
    """The sentence without invisible characters, except in what is copied unchanged."""
    if not INVISIBLE.search(sentence):
        return Visible(text=sentence)
    placeholders = find_placeholders(sentence, language)
    return visible_part(sentence, [(span.start, span.end) for span in placeholders])


def _entries(
    text: str, terms: Sequence[Protected], among: Sequence[Protected]
) -> tuple[GlossaryEntry, ...]:
    """The terms that are among some spans."""
    if not terms:
        return ()
    known = frozenset(among)
    return tuple(
        GlossaryEntry(source=text[span.start : span.end], target=span.replacement)
        for span in terms
        if span in known
    )


def _placeholders(
    text: str, terms: Sequence[Protected], options: PreprocessingOptions
) -> list[Protected]:
    """Placeholders, and numbers in the notation of the target language."""
    found = find_placeholders(text, options.source_language)
    locales = number_locales(options.source_language, options.target_language)
    if locales is None:
        return found
    return localised_numbers(text, found, terms, locales, masks_all=options.masks_numbers)


def _has_rewritten(text: str, protected: Sequence[Protected]) -> bool:
    """Whether something with letters is written differently; digits alone stay as they are."""
    return any(
        span.replacement != text[span.start : span.end] and needs_model(text[span.start : span.end])
        for span in protected
    )


def _sentinels(text: str, sentinels: Collection[str]) -> list[Protected]:
    return [
        Protected(start=at, end=at + 1, replacement=character)
        for at, character in enumerate(text)
        if character in sentinels
    ]


def _with_plain_spaces(text: str, protected: Sequence[Protected]) -> str:
    """`text` with ordinary spaces for those that models have hardly ever seen; same length."""
    characters = list(text.translate(_PLAIN_SPACES))
    for span in protected:
        characters[span.start : span.end] = text[span.start : span.end]
    return "".join(characters)
