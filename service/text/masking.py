"""Protected stretches of a sentence: taken out before the model sees it, and put back in behind it.

Three ways, best first: symbols that the model copies stand for them; they take the place of the
words that are aligned with them; the sentence is cut around them.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.text.protected import Protected
from service.text.word_link import WordLink


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A sentence as the model sees it."""

    text: str
    protected: tuple[Protected, ...]
    """By position in the sentence, with offsets in `text`; disjoint."""
    symbols: tuple[str, ...]
    """What stands for the first of them in `text`; the others are there as they were."""

    @property
    def num_masked(self) -> int:
        """How many are behind a symbol."""
        return len(self.symbols)


def mask(text: str, protected: Sequence[Protected], symbols: Sequence[str]) -> Masked:
    """Put symbols where `protected` stretches stand, as far as there are symbols.

    Args:
        text: A sentence in which no symbol stands, but in a protected stretch.
        protected: Sorted and disjoint.
        symbols: What the model copies; none where it knows none.
    """
    parts: list[str] = []
    moved: list[Protected] = []
    length, end = 0, 0
    for index, stretch in enumerate(protected):
        shown = symbols[index] if index < len(symbols) else text[stretch.start : stretch.end]
        parts += [text[end : stretch.start], shown]
        start = length + stretch.start - end
        length, end = start + len(shown), stretch.end
        moved.append(Protected(start=start, end=length, replacement=stretch.replacement))
    parts.append(text[end:])
    used = tuple(symbols[: len(protected)])
    return Masked(text="".join(parts), protected=tuple(moved), symbols=used)


def unmask(target: str, masked: Masked) -> str | None:
    """Put the replacements where the symbols stand in a translation.

    Returns:
        The translation; None if a symbol is missing or doubled, or if something that was not
        masked is there less often than it should be.
    """
    originals = dict(zip(masked.symbols, (p.replacement for p in masked.protected), strict=False))
    if any(target.count(symbol) != 1 for symbol in masked.symbols):
        return None
    found = target
    if originals:
        pattern = re.compile("|".join(map(re.escape, originals)))
        found = pattern.sub(lambda match: originals[match.group()], target)
    return found if keeps_all(found, masked.protected) else None


def keeps_all(target: str, protected: Sequence[Protected]) -> bool:
    """Whether every replacement is in `target` as often as it has to be, and no oftener."""
    wanted = Counter(stretch.replacement for stretch in protected)
    return all(_count(text, target) == count for text, count in wanted.items())


def place_by_alignment(
    target: str, links: Sequence[WordLink], protected: Sequence[Protected]
) -> str | None:
    """Replace the words of a translation that are aligned with protected stretches.

    Args:
        target: The translation.
        links: From the sentence that the model saw to `target`.
        protected: With offsets in that sentence.

    Returns:
        The translation; None if a stretch is aligned with nothing, or with what is another's.
    """
    places = [_aligned_span(stretch, links) for stretch in protected]
    found = [(*place, s) for place, s in zip(places, protected, strict=True) if place]
    if len(found) < len(protected):
        return None
    parts: list[str] = []
    end = 0
    for start, stop, stretch in sorted(found, key=lambda place: place[:2]):
        if start < end:
            return None
        parts += [target[end:start], stretch.replacement]
        end = stop
    placed = "".join([*parts, target[end:]])
    return placed if keeps_all(placed, protected) else None


def cut_around(text: str, protected: Sequence[Protected]) -> Iterator[str | Protected]:
    """The stretches of a sentence and what stands between them, in order; nothing is left out."""
    end = 0
    for stretch in protected:
        if stretch.start > end:
            yield text[end : stretch.start]
        yield stretch
        end = stretch.end
    if end < len(text):
        yield text[end:]


def _aligned_span(stretch: Protected, links: Sequence[WordLink]) -> tuple[int, int] | None:
    """From the first to the last target word that is linked with most of its words."""
    targets = [
        link.target
        for link in links
        if link.source[0] < stretch.end and stretch.start < link.source[1]
    ]
    if not targets:
        return None
    return min(start for start, _ in targets), max(end for _, end in targets)


def _count(text: str, whole: str) -> int:
    """How often `text` stands in `whole` by itself: `5 km` does not stand in `25 kmh`."""
    before = r"(?<!\w)" if text[:1].isalnum() else ""
    behind = r"(?!\w)" if text[-1:].isalnum() else ""
    return len(re.findall(before + re.escape(text) + behind, whole))
