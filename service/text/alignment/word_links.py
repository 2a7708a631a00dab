"""Word links: which word of a sentence corresponds to which word of its translation."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.text.invisible import INVISIBLE, visible_part

_WORD = re.compile(r"⟦\d⟧|\w+(?:['’\-]\w+)*|[^\w\s]")  # noqa: RUF001
_MIN_WEIGHT = 0.2
"""Least attention to a source word that is linked though it is no target word's first choice."""

Span = tuple[int, int]
"""Character offsets, end exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordLink:
    """Two spans that correspond; several links may share a span."""

    source: Span
    """In the source sentence."""
    target: Span
    """In its translation."""
    weight: float = 1.0
    """From 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedText:
    """A text with the offsets of its tokens."""

    text: str
    spans: tuple[Span, ...]
    """One for every token; empty for tokens without characters."""


def words(text: str) -> list[Span]:
    """Offsets of the words; a punctuation mark is a word, an invisible character is not."""
    if not INVISIBLE.search(text):
        return [match.span() for match in _WORD.finditer(text)]
    visible = visible_part(text)
    return [visible.whole_span(*match.span()) for match in _WORD.finditer(visible.text)]


def word_links(
    attention: NDArray[np.float32], source: TokenizedText, target: TokenizedText
) -> tuple[WordLink, ...]:
    """Links each target word with the source word that it attends to most.

    A source word that no target word attends to most is linked with the target word that attends
    to it most, if its weight is at least `_MIN_WEIGHT`.

    Args:
        attention: A row for each target token, a column for each source token, float32.
        source: Its tokens are the columns; columns without characters are ignored.
        target: Its tokens are the rows; there may be further rows.
    """
    source_words, target_words = words(source.text), words(target.text)
    rows = _members(target.spans, target_words)
    columns = _members(source.spans, source_words)
    sizes = np.bincount(rows[0], minlength=len(target_words))
    of_words = _summed(attention.astype(np.float64), rows, len(target_words))
    means = of_words / np.maximum(sizes, 1)[:, np.newaxis]
    weights = _summed(means.T, columns, len(source_words)).T
    if not weights.size:
        return ()
    pairs = [*_best_sources(weights), *_best_targets(weights)]
    return tuple(
        WordLink(
            source=source_words[j], target=target_words[i], weight=round(float(weights[i, j]), 4)
        )
        for i, j in sorted(set(pairs))
    )


def transfer_links(links: Sequence[WordLink], old: str, new: str) -> tuple[WordLink, ...]:
    """Links to the words of `old` as links to the words of `new`, by their number.

    For texts that differ in case or white space; if the numbers of words differ, no link is kept.
    """
    if old == new:
        return tuple(links)
    before, after = words(old), words(new)
    if len(before) != len(after):
        return ()
    moved = dict(zip(before, after, strict=True))
    return tuple(
        WordLink(source=link.source, target=moved[link.target], weight=link.weight)
        for link in links
    )


def chain_links(first: Sequence[WordLink], second: Sequence[WordLink]) -> tuple[WordLink, ...]:
    """Links from the sources of `first` to the targets of `second`.

    Two links that share a character of the text between make one, with the product of their
    weights; of several links between the same words the heaviest is kept.

    Args:
        first: From a text to its translation.
        second: From that translation to one of its own.
    """
    by_character: dict[int, list[WordLink]] = {}
    for link in second:
        for at in range(*link.source):
            by_character.setdefault(at, []).append(link)
    weights: dict[tuple[Span, Span], float] = {}
    for link in first:
        for at in range(*link.target):
            for onward in by_character.get(at, ()):
                ends = (onward.target, link.source)
                weights[ends] = max(weights.get(ends, 0.0), link.weight * onward.weight)
    return tuple(
        WordLink(source=source, target=target, weight=round(weight, 4))
        for (target, source), weight in sorted(weights.items())
    )


def pharaoh(links: Sequence[WordLink], source: str, target: str) -> list[tuple[int, int, float]]:
    """The links in Pharaoh form: number of the source word, of the target word, and weight."""
    sources = {span: i for i, span in enumerate(words(source))}
    targets = {span: i for i, span in enumerate(words(target))}
    return sorted(
        (sources[link.source], targets[link.target], link.weight)
        for link in links
        if link.source in sources and link.target in targets
    )


def _members(spans: Sequence[Span], found: Sequence[Span]) -> tuple[NDArray[np.int64], ...]:
    """Which tokens have characters of which words: words and tokens, int64 [pairs], by word."""
    words_of: list[int] = []
    tokens: list[int] = []
    first = 0
    for token, (start, end) in enumerate(spans):
        while first < len(found) and found[first][1] <= start:
            first += 1
        word = first
        while word < len(found) and found[word][0] < end:
            words_of.append(word)
            tokens.append(token)
            word += 1
    order = np.argsort(np.array(words_of, np.int64), kind="stable")
    return np.array(words_of, np.int64)[order], np.array(tokens, np.int64)[order]


def _summed(
    values: NDArray[np.float64], members: tuple[NDArray[np.int64], ...], num_words: int
) -> NDArray[np.float64]:
    """The sum of the rows of each word's tokens; a product with a matrix of 0 and 1 takes long.

    Args:
        values: float64 [tokens, n].
        members: As `_members` returns them.
        num_words: How many there are.

    Returns:
        float64 [words, n], 0 for words without tokens.
    """
    words_of, tokens = members
    sums = np.zeros((num_words, values.shape[1]))
    if len(tokens):
        found, starts = np.unique(words_of, return_index=True)
        sums[found] = np.add.reduceat(values[tokens], starts, axis=0)
    return sums


def _best_sources(weights: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Each target word with the source word that it attends to most."""
    best = weights.argmax(axis=1).tolist()
    return [(i, j) for i, j in enumerate(best) if weights[i, j] > 0]


def _best_targets(weights: NDArray[np.float64]) -> list[tuple[int, int]]:
    """The remaining source words, each with the target word that attends to it most."""
    linked = {j for _, j in _best_sources(weights)}
    best = weights.argmax(axis=0).tolist()
    return [(i, j) for j, i in enumerate(best) if j not in linked and weights[i, j] >= _MIN_WEIGHT]
