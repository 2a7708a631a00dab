"""Glossary terms that a model wrote by itself, as they are or inflected."""

from collections.abc import Iterator, Sequence

from service.text.masking.glossary import GlossaryEntry
from service.text.masking.words import find_words, with_letters, word_spans

Span = tuple[int, int]

_MAX_PLACES = 32
"""Words with the same beginning that are tried for a term; beyond them it is taken for missing."""

_STEM_CHARS = 4
"""Words that share fewer letters at their beginning are not taken for forms of one word."""
_MAX_LOST = 2
"""Letters at the end of a term that a form may lack."""
_MAX_ENDING = 3
"""Letters that a form may have instead: `Triebwerks`, `Triebwerken`, `Systemen`."""


def find_forms(terms: Sequence[GlossaryEntry], text: str) -> list[Span | None]:
    """Where a translation has each term: as the glossary has it, or a form of it.

    An ending alone may differ, in each word. That suits languages that inflect at the end; other
    forms are not recognised, and a caller takes them for missing. A term that stays as it is in
    the source (a name) has one form.

    Args:
        terms: As often as they occur in the source.
        text: The translation of a sentence. The cost is linear in both.

    Returns:
        Disjoint spans, by term; None where there is none left.
    """
    words = _Words(text)
    longest_first = sorted(range(len(terms)), key=lambda i: -len(terms[i].target))
    found: list[Span | None] = [None] * len(terms)
    for index in longest_first:
        found[index] = words.take(terms[index])
    return found


def find_terms(terms: Sequence[GlossaryEntry], text: str) -> list[Span | None]:
    """As `find_forms`, and also what is no word of its own, as in scripts without spaces."""
    end = 0
    found = find_forms(terms, text)
    for index, (term, span) in enumerate(zip(terms, found, strict=True)):
        if span is None and (start := text.find(term.target, end)) >= 0:
            end = start + len(term.target)
            found[index] = start, end
    return found


class _Words:
    """The words of a text, of which each belongs to one term at most."""

    def __init__(self, text: str) -> None:
        self._spans = word_spans(text)
        self._words = [text[start:end] for start, end in self._spans]
        self._is_taken = [False] * len(self._words)
        self._starts: dict[str, list[int]] = {}
        for index, word in enumerate(self._words):
            self._starts.setdefault(_stem(word), []).append(index)

    def take(self, term: GlossaryEntry) -> Span | None:
        """The first place of a term that is free; as it is written before its forms."""
        wanted = find_words(term.target)
        places = list(self._free(wanted))
        exact = [p for p in places if self._written(p, len(wanted)) == wanted]
        if _is_name(term):
            places = exact
        if not places:
            return None
        first = (exact or places)[0]
        last = first + len(wanted) - 1
        for index in range(first, last + 1):
            self._is_taken[index] = True
            self._starts[_stem(self._words[index])].remove(index)
        return self._spans[first][0], self._spans[last][1]

    def _free(self, wanted: Sequence[str]) -> Iterator[int]:
        for first in self._starts.get(_stem(wanted[0]), [])[:_MAX_PLACES]:
            found = self._written(first, len(wanted))
            if len(found) < len(wanted) or any(self._is_taken[first : first + len(wanted)]):
                continue
            pairs = zip(wanted, found, strict=True)
            if all(_is_form(*pair, is_first=first == 0) for pair in pairs):
                yield first

    def _written(self, first: int, length: int) -> list[str]:
        return self._words[first : first + length]


def _is_name(term: GlossaryEntry) -> bool:
    return term.source.casefold() == term.target.casefold()


def _stem(word: str) -> str:
    return word.casefold()[:_STEM_CHARS]


def _is_form(word: str, found: str, *, is_first: bool) -> bool:
    """Whether `found` is `word`, or differs in its ending; only its first letter's case counts."""
    if word[0] != found[0] and not (is_first or found.isupper()):
        return False
    wanted, given = word.casefold(), found.casefold()
    if wanted == given:
        return True
    shared = _num_shared(wanted, given)
    return (
        with_letters(wanted).isalpha()
        and with_letters(given).isalpha()
        and shared >= max(_STEM_CHARS, len(wanted) - _MAX_LOST)
        and len(given) - shared <= _MAX_ENDING
    )


def _num_shared(one: str, other: str) -> int:
    """Letters that two words share at their beginning."""
    pairs = zip(one, other, strict=False)
    differing = (index for index, (a, b) in enumerate(pairs) if a != b)
    return next(differing, min(len(one), len(other)))
