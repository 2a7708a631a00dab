"""Spans of a sentence that the model must not change, and where their texts occur."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
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
    found = Counter(target[start:end] for start, end in standing_alone(wanted, target))
    return all(
        found[text] == count or (found[text] > count and _is_word(text))
        for text, count in wanted.items()
    )


def standing_alone(texts: Collection[str], whole: str) -> Iterator[tuple[int, int]]:
    """Where any of `texts` occurs in `whole`, the longest at each place; disjoint, in order.

    Letters and digits at the ends of an occurrence touch no others. No pattern is compiled of
    `texts`: one of hundreds costs more than the search, and would be kept.

    Args:
        texts: None of them empty.
        whole: Is searched once; at each place, each length of `texts` is tried once.
    """
    known = frozenset(texts)
    lengths: dict[str, list[int]] = {}
    for first, length in sorted({(text[0], len(text)) for text in known}, reverse=True):
        lengths.setdefault(first, []).append(length)
    end = 0
    for start, character in enumerate(whole):
        if start < end or character not in lengths:
            continue
        found = next(_ends(whole, start, lengths[character], known), None)
        if found is not None:
            end = found
            yield start, end


def _ends(whole: str, start: int, lengths: Sequence[int], known: frozenset[str]) -> Iterator[int]:
    """Ends of the texts that stand alone at `start`."""
    for length in lengths:
        end = start + length
        if end <= len(whole) and whole[start:end] in known and _is_alone(whole, start, end):
            yield end


def _is_alone(whole: str, start: int, end: int) -> bool:
    touches = whole[start].isalnum() and start > 0 and _is_of_word(whole[start - 1])
    return not (touches or (whole[end - 1].isalnum() and _is_of_word(whole[end : end + 1])))


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _is_word(text: str) -> bool:
    return all(character.isalpha() or character == " " for character in text)
