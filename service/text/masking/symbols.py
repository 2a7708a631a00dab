"""Protected stretches of a sentence: taken out before the model sees it, and put back in behind it.

Three ways, best first: symbols that the model copies stand for them; they take the place of the
words that are aligned with them; the sentence is cut around them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from service.text.alignment.word_links import WordLink
from service.text.masking.edits import (
    Edit,
    Protected,
    Rewritten,
    Surroundings,
    any_of,
    respaced,
    rewrite,
)

PLAIN_SYMBOLS = tuple(f"#{digit}" for digit in range(1, 10))
"""For a model without symbols of its own: most copy these as they copy names and numbers."""
_PUNCTUATION = " .,;:!?…\"'„“”‘’«»()"  # noqa: RUF001
_MAX_GAP = 1
"""Characters between words that are replaced together: a space, a hyphen."""
Span = tuple[int, int]
"""Character offsets, end exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A sentence as the model sees it."""

    rewritten: Rewritten
    """From the sentence, as it was."""
    protected: tuple[Protected, ...]
    """By position, with offsets in the masked text; disjoint."""
    symbols: tuple[str, ...]
    """What stands for the first of them; the others are there as they were."""
    unused: tuple[str, ...] = ()
    """What could have stood for more; a model may still write it."""

    @property
    def text(self) -> str:
        """With its symbols."""
        return self.rewritten.text


def mask(text: str, protected: Sequence[Protected], symbols: Sequence[str]) -> Masked:
    """Put symbols where `protected` stretches stand, as far as there are symbols.

    Args:
        text: A sentence; symbols that stand in it are not used, but for those in a stretch.
        protected: Sorted and disjoint.
        symbols: What the model copies; none where it knows none.
    """
    free = "\0".join(part for part in cut_around(text, protected) if isinstance(part, str))
    usable = tuple(symbol for symbol in symbols if symbol not in free)
    used = usable[: len(protected)]
    shown = [*used, *(text[p.start : p.end] for p in protected[len(used) :])]
    edits = [Edit(start=p.start, end=p.end, text=s) for p, s in zip(protected, shown, strict=True)]
    rewritten = rewrite(text, edits)
    moved = [
        Protected(start=start, end=start + len(edit.text), replacement=stretch.replacement)
        for start, edit, stretch in zip(rewritten.starts, edits, protected, strict=True)
    ]
    unused = tuple(symbol for symbol in symbols if symbol not in used)
    return Masked(rewritten=rewritten, protected=tuple(moved), symbols=used, unused=unused)


def unmask(target: str, masked: Masked) -> Rewritten | None:
    """Put the replacements where the symbols stand in a translation, spaced as in the source.

    Returns:
        The translation; None if a symbol is missing, doubled or made up, or if something that was
        not masked is there more or less often than it should be.
    """
    if any(target.count(symbol) != 1 for symbol in masked.symbols):
        return None
    if any(target.count(symbol) != masked.text.count(symbol) for symbol in masked.unused):
        return None
    edits = [
        _edit(target, (at, at + len(symbol)), masked, stretch)
        for symbol, stretch in zip(masked.symbols, masked.protected, strict=False)
        for at in (target.index(symbol),)
    ]
    found = rewrite(target, _apart(sorted(edits, key=lambda edit: edit.start)))
    return found if keeps_all(found.text, masked.protected) else None


def keeps_all(target: str, protected: Sequence[Protected]) -> bool:
    """Whether every replacement is in `target` as often as it has to be.

    A term of a glossary may be there oftener: the model can have used that word by itself.
    """
    wanted = Counter(stretch.replacement for stretch in protected)
    found = Counter(any_of(frozenset(wanted)).findall(target)) if wanted else Counter[str]()
    return all(
        found[text] == count or (found[text] > count and _is_word(text))
        for text, count in wanted.items()
    )


def place_by_alignment(target: str, links: Sequence[WordLink], masked: Masked) -> Rewritten | None:
    """Replace the words of a translation that are aligned with protected stretches.

    Args:
        target: The translation, in which symbols may be missing, or too many.
        links: From `masked.text` to `target`.
        masked: What was translated.

    Returns:
        The translation; None if a stretch is aligned with nothing, or with what is another's.
    """
    places: list[tuple[Span, Protected]] = []
    for stretch in masked.protected:
        span = _aligned_span(stretch, links)
        if span is None:
            return None
        places.append((_trimmed(target, span), stretch))
    places.sort(key=lambda place: place[0])
    if any(first[1] > second[0] for (first, _), (second, _) in pairwise(places)):
        return None
    edits = [_edit(target, span, masked, stretch) for span, stretch in places]
    placed = rewrite(target, _apart(edits))
    left = any(symbol in placed.text for symbol in masked.symbols)
    return placed if keeps_all(placed.text, masked.protected) and not left else None


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


def _aligned_span(stretch: Protected, links: Sequence[WordLink]) -> Span | None:
    """The target word that is linked best with a stretch, and linked words beside it."""
    linked = [
        link for link in links if link.source[0] < stretch.end and stretch.start < link.source[1]
    ]
    if not linked:
        return None
    start, end = max(linked, key=lambda link: link.weight).target
    spans = sorted({link.target for link in linked})
    for word_start, word_end in spans:
        if end <= word_start <= end + _MAX_GAP:
            end = word_end
    for word_start, word_end in reversed(spans):
        if start - _MAX_GAP <= word_end <= start:
            start = word_start
    return start, end


def _trimmed(target: str, span: Span) -> Span:
    """Without punctuation at either end, which belongs to the sentence around it."""
    found = target[slice(*span)]
    core = found.strip(_PUNCTUATION)
    start = span[0] + found.index(core)
    return (start, start + len(core)) if core else span


def _edit(target: str, span: Span, masked: Masked, stretch: Protected) -> Edit:
    """A stretch in place of a span of the translation, spaced as in the source."""
    start, end, lead, tail = respaced(
        Surroundings(text=target, start=span[0], end=span[1]),
        Surroundings(text=masked.text, start=stretch.start, end=stretch.end),
    )
    return Edit(start=start, end=end, text=lead + stretch.replacement + tail)


def _apart(edits: Sequence[Edit]) -> list[Edit]:
    """Two that claim the space between them: it goes with the first."""
    ends = [0, *(edit.end for edit in edits)]
    return [replace(e, start=max(e.start, end)) for e, end in zip(edits, ends, strict=False)]


def _is_word(text: str) -> bool:
    return all(character.isalpha() or character == " " for character in text)
