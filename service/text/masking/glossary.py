"""A glossary: terms with a prescribed translation."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from service.text.masking.longest_terms import LongestTerms, Words
from service.text.masking.protected import Protected
from service.text.masking.words import find_words, word_spans

MAX_TERM_CHARS = 200
MAX_WORDS = 20_000
"""Of all terms together; the automaton takes about 150 bytes for each."""
_SHOWN_CHARS = 20
"""Characters of a term that a message quotes."""
_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
"""NUL and halves of surrogate pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GlossaryEntry:
    """A term and its prescribed translation."""

    source: str
    target: str


def glossary_chars(entries: Sequence[GlossaryEntry]) -> int:
    """Characters of all entries, which a search has to read once."""
    return sum(len(entry.source) + len(entry.target) for entry in entries)


class GlossaryError(ValueError):
    """An entry cannot be used; the message quotes it."""


class Glossary:
    """Finds terms in sentences; of terms that begin at one place the longest is taken."""

    def __init__(self, entries: Sequence[GlossaryEntry], *, tells_cases: bool = False) -> None:
        """Checks the entries.

        Args:
            entries: The terms.
            tells_cases: Whether terms that differ in case alone may have different translations:
                a text as it is spelt counts, and else the first of them.

        Raises:
            GlossaryError: An entry is empty or too long, two entries contradict each other, or
                all have too many words.
        """
        self._targets: dict[Words, str] = {}
        self._tells_cases = tells_cases
        self._spelt: dict[Words, str] = {}
        """Targets by the words as they are spelt; empty unless cases are told apart."""
        num_words = 0
        for entry in entries:
            num_words += self._add(entry)
            if num_words > MAX_WORDS:
                raise GlossaryError(
                    f"the terms of the glossary have over {MAX_WORDS:,} words: send fewer"
                )

    def find(self, text: str) -> list[Protected]:
        """The terms in a sentence, by position, in any case; whole words only.

        The cost is about two look-ups for each word, whatever the terms and their number.
        """
        return list(self._found(text)) if self._targets else []

    def compile(self) -> None:
        """Does now what the first search would do."""
        if self._targets:
            _ = self._terms

    def _found(self, text: str) -> Iterator[Protected]:
        spans = word_spans(text)
        spelt = tuple([text[start:end] for start, end in spans])
        words = tuple(map(str.casefold, spelt))
        lengths = self._terms.lengths(words)
        index = 0
        while index < len(spans):
            length = lengths[index]
            if length:
                yield Protected(
                    start=spans[index][0],
                    end=spans[index + length - 1][1],
                    replacement=self._target(spelt[index : index + length]),
                )
            index += length or 1

    def _target(self, spelt: Words) -> str:
        found = self._spelt.get(spelt) if self._spelt else None
        return found or self._targets[tuple(map(str.casefold, spelt))]

    @cached_property
    def _terms(self) -> LongestTerms:
        # Compiled at first use: by then the text is worked on outside of the event loop.
        return LongestTerms(self._targets)

    def _add(self, entry: GlossaryEntry) -> int:
        """Adds an entry; returns the words of its term."""
        words, target = _words(entry.source), entry.target.strip()
        shown = entry.source[:_SHOWN_CHARS]
        if not words or not target:
            raise GlossaryError(
                f"glossary entry {shown!r} -> {target[:_SHOWN_CHARS]!r} is empty: "
                "give it a source and a target"
            )
        if max(len(entry.source), len(target)) > MAX_TERM_CHARS:
            raise GlossaryError(
                f"glossary entry {shown!r}... has over {MAX_TERM_CHARS} characters: shorten it"
            )
        if _NO_TEXT.search(entry.source) or _NO_TEXT.search(target):
            raise GlossaryError(
                f"glossary entry {shown!a} has a NUL character or half of a surrogate pair: "
                "send valid Unicode"
            )
        known = self._targets.setdefault(words, target)
        if self._tells_cases:
            known = self._spelt.setdefault(tuple(find_words(entry.source)), target)
        if known != target:
            raise GlossaryError(
                f"the glossary has two targets for {shown!r}, "
                f"{known[:_SHOWN_CHARS]!r} and {target[:_SHOWN_CHARS]!r}: keep one"
            )
        return len(words)


class CompiledEntries(tuple[GlossaryEntry, ...]):  # noqa: SLOT001 - the glossary needs a place
    """Entries with their glossary, which is built once for all requests that use it.

    Terms that differ in case alone may have different translations.
    """

    @cached_property
    def glossary(self) -> Glossary:
        """Their glossary, ready to search.

        Raises:
            GlossaryError: As `Glossary`.
        """
        glossary = Glossary(self, tells_cases=True)
        glossary.compile()
        return glossary


def glossary_of(entries: tuple[GlossaryEntry, ...]) -> Glossary:
    """The glossary of some entries.

    Raises:
        GlossaryError: As `Glossary`.
    """
    return entries.glossary if isinstance(entries, CompiledEntries) else Glossary(entries)


def _words(term: str) -> Words:
    return tuple(map(str.casefold, find_words(term)))
