"""Spans of a sentence that the model must not change, and patterns that find their texts."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """What stands at `[start, end)` in a sentence, and what has to stand in its translation."""

    start: int
    end: int
    """Character offsets in the sentence, end exclusive."""
    replacement: str
    """The same characters for a placeholder, the wanted term for a glossary entry."""


def cut_around(text: str, protected: Sequence[Protected]) -> list[str | Protected]:
    """Splits a sentence into protected spans and the text between them, in order.

    Args:
        text: Joined from the parts again, with `text[start:end]` for each span.
        protected: Sorted and disjoint.
    """
    parts: list[str | Protected] = []
    end = 0
    for span in protected:
        if span.start > end:
            parts.append(text[end : span.start])
        parts.append(span)
        end = span.end
    if end < len(text):
        parts.append(text[end:])
    return parts


def disjoint(spans: Iterable[Protected]) -> list[Protected]:
    """Sorts spans by position; of two that overlap, the one listed first stays."""
    taken: list[Protected] = []
    for span in spans:
        at = bisect_left(taken, span.start, key=lambda other: other.start)
        is_free = (at == 0 or taken[at - 1].end <= span.start) and (
            at == len(taken) or span.end <= taken[at].start
        )
        if is_free:
            taken.insert(at, span)
    return taken


def keeps_all(target: str, protected: Sequence[Protected]) -> bool:
    """Whether a translation contains every replacement as often as it must.

    A glossary term may occur more often: the model can have used that word by itself.
    """
    wanted = Counter(span.replacement for span in protected)
    found = Counter(any_of(frozenset(wanted)).findall(target)) if wanted else Counter[str]()
    return all(
        found[text] == count or (found[text] > count and _is_word(text))
        for text, count in wanted.items()
    )


def any_of(texts: frozenset[str]) -> re.Pattern[str]:
    """A pattern that matches any of `texts` standing alone, the longest at each position."""
    return re.compile("|".join(map(_standing_alone, sorted(texts, key=lambda text: -len(text)))))


def _standing_alone(text: str) -> str:
    """A pattern for `text` whose first and last letter or digit touch no other."""
    before = r"(?<!\w)" if text[:1].isalnum() else ""
    behind = r"(?!\w)" if text[-1:].isalnum() else ""
    return before + re.escape(text) + behind


def _is_word(text: str) -> bool:
    return all(character.isalpha() or character == " " for character in text)
