"""An alignment of a word of the source with a word of the translation."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WordLink:
    """Two stretches of text that say the same; several links may share a side."""

    source: tuple[int, int]
    """Character offsets in the source sentence, end exclusive."""
    target: tuple[int, int]
    """Character offsets in its translation, end exclusive."""
    weight: float = 1.0
    """From 0 to 1."""


_WORD = re.compile(r"⟦\d⟧|\w+(?:['’\-]\w+)*|[^\w\s]")  # noqa: RUF001
_MIN_WEIGHT = 0.2
"""Attention that a source word must get to be linked where no target word likes it best."""

Span = tuple[int, int]
"""Character offsets, end exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedText:
    """A text and where each of the model's pieces stands in it."""

    text: str
    spans: tuple[Span, ...]
    """One for every token; empty for those that stand for no character."""


def words(text: str) -> list[Span]:
    """Where the words are; a punctuation mark is one, too."""
    return [match.span() for match in _WORD.finditer(text)]


def word_links(
    attention: Sequence[Sequence[float]], source: TokenizedText, target: TokenizedText
) -> tuple[WordLink, ...]:
    """Link each target word with the source word that it looks at most.

    A source word that is nobody's favourite is linked with the target word that looks at it most,
    if that is more than a glance.

    Args:
        attention: One row for each target token, one column for each source token.
        source: Its tokens are the columns; columns without characters count for nothing.
        target: Its tokens are the rows, which may go on behind them.
    """
    source_words, target_words = words(source.text), words(target.text)
    columns = _members(source.spans, source_words)
    rows = _members(target.spans, target_words)
    weights = [[_weight(attention, row, column) for column in columns] for row in rows]
    pairs = [*_favourites(weights), *_left_over(weights, len(source_words))]
    return tuple(
        WordLink(source=source_words[j], target=target_words[i], weight=round(weights[i][j], 4))
        for i, j in sorted(set(pairs))
    )


def transfer_links(links: Sequence[WordLink], old: str, new: str) -> tuple[WordLink, ...]:
    """Links to the words of `old` as links to those of `new`: its n-th word for the n-th.

    For texts that differ in case or white space; where they differ in words, nothing is linked.
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


def pharaoh(links: Sequence[WordLink], source: str, target: str) -> list[tuple[int, int, float]]:
    """The links as numbers of words, as aligners write them: source, target, weight."""
    sources = {span: i for i, span in enumerate(words(source))}
    targets = {span: i for i, span in enumerate(words(target))}
    return sorted(
        (sources[link.source], targets[link.target], link.weight)
        for link in links
        if link.source in sources and link.target in targets
    )


def _members(spans: Sequence[Span], found: Sequence[Span]) -> list[list[int]]:
    """Which tokens have characters of each word, both in the order of the text."""
    members: list[list[int]] = [[] for _ in found]
    first = 0
    for token, (start, end) in enumerate(spans):
        while first < len(found) and found[first][1] <= start:
            first += 1
        word = first
        while word < len(found) and found[word][0] < end:
            members[word].append(token)
            word += 1
    return members


def _weight(
    attention: Sequence[Sequence[float]], rows: Sequence[int], columns: Sequence[int]
) -> float:
    """What the tokens of a target word look at those of a source word, on average."""
    if not rows:
        return 0.0
    return sum(attention[i][j] for i in rows for j in columns) / len(rows)


def _favourites(weights: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    best = [max(range(len(row)), key=row.__getitem__, default=-1) for row in weights]
    return [(i, j) for i, j in enumerate(best) if j >= 0 and weights[i][j] > 0]


def _left_over(weights: Sequence[Sequence[float]], num_sources: int) -> list[tuple[int, int]]:
    linked = {j for _, j in _favourites(weights)}
    pairs = []
    for j in set(range(num_sources)) - linked:
        best = max(range(len(weights)), key=lambda i: weights[i][j], default=-1)
        if best >= 0 and weights[best][j] >= _MIN_WEIGHT:
            pairs.append((best, j))
    return pairs


def chain_links(first: Sequence[WordLink], second: Sequence[WordLink]) -> tuple[WordLink, ...]:
    """Links from the sources of `first` to the targets of `second`.

    Two links make one where they share a character of the text between, with the product of their
    weights; of several ways from word to word the heaviest counts.

    Args:
        first: From a text to its translation.
        second: From that translation to one of its own.
    """
    by_character: dict[int, list[WordLink]] = {}
    for link in second:
        for at in range(*link.source):
            by_character.setdefault(at, []).append(link)
    weights: dict[tuple[tuple[int, int], tuple[int, int]], float] = {}
    for link in first:
        for at in range(*link.target):
            for onward in by_character.get(at, ()):
                ends = (onward.target, link.source)
                weights[ends] = max(weights.get(ends, 0.0), link.weight * onward.weight)
    return tuple(
        WordLink(source=source, target=target, weight=round(weight, 4))
        for (target, source), weight in sorted(weights.items())
    )
