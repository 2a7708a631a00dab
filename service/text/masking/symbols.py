"""Masks protected spans of a sentence with symbols, and puts the spans back into a translation.

Symbols that the model copied are replaced where they stand. Where it did not copy them, a span
replaces the words that are aligned with its symbol.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from service.text.alignment.word_links import Span, WordLink
from service.text.masking.edits import Edit, Rewritten, Surroundings, joined, respaced, rewrite
from service.text.masking.protected import Protected, keeps_all

PLAIN_SYMBOLS = tuple(f"#{digit}" for digit in range(1, 10))
"""For a model without symbols of its own: most models copy these like names and numbers."""
_PUNCTUATION = " .,;:!?…\"'„“”‘’«»()"  # noqa: RUF001
_MAX_GAP = 1
"""Characters between words that are replaced together: a space, a hyphen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A sentence with symbols in place of protected spans: what the model sees."""

    rewritten: Rewritten
    """The masked text, with the edits that lead to it."""
    protected: tuple[Protected, ...]
    """By position, with offsets in the masked text; disjoint."""
    symbols: tuple[str, ...]
    """Stand for the first of the spans; the spans beyond them are unmasked in the text."""
    unused: tuple[str, ...] = ()
    """Symbols that stand for nothing; the model may still write them."""

    @property
    def text(self) -> str:
        """The masked text."""
        return self.rewritten.text

    def made_up(self, shown: str) -> list[str]:
        """Symbols that the model has made up if they are in its translation of `shown`.

        Only symbols of its own: plain ones may be words, `#1` for `number one`.
        """
        own = (s for s in (*self.symbols, *self.unused) if s not in PLAIN_SYMBOLS)
        return [symbol for symbol in own if symbol not in shown]


def mask(text: str, protected: Sequence[Protected], symbols: Sequence[str]) -> Masked:
    """Replaces protected spans by symbols, as far as there are symbols.

    Args:
        text: A sentence; symbols that occur in it outside of protected spans are not used.
        protected: Sorted and disjoint.
        symbols: What the model copies; empty where it copies none.
    """
    if not protected:
        return Masked(
            rewritten=Rewritten(text=text), protected=(), symbols=(), unused=tuple(symbols)
        )
    gaps = zip([0, *(p.end for p in protected)], [*(p.start for p in protected), None], strict=True)
    free = "\0".join(text[start:end] for start, end in gaps)
    usable = tuple(symbol for symbol in symbols if symbol not in free)
    used = usable[: len(protected)]
    shown = [*used, *(text[p.start : p.end] for p in protected[len(used) :])]
    edits = [Edit(start=p.start, end=p.end, text=s) for p, s in zip(protected, shown, strict=True)]
    rewritten = rewrite(text, edits)
    moved = [
        Protected(start=start, end=start + len(edit.text), replacement=span.replacement)
        for start, edit, span in zip(rewritten.starts, edits, protected, strict=True)
    ]
    unused = tuple(symbol for symbol in symbols if symbol not in used)
    return Masked(rewritten=rewritten, protected=tuple(moved), symbols=used, unused=unused)


def unmask(target: str, masked: Masked) -> Rewritten | None:
    """Puts replacements in place of the symbols of a translation, spaced as in the source.

    Returns:
        The translation; None if a symbol is missing, doubled or made up, or if a span that was
        not masked occurs more or less often than it must.
    """
    if any(target.count(symbol) != 1 for symbol in masked.symbols):
        return None
    text = masked.text
    if any(target.count(symbol) != text.count(symbol) for symbol in masked.unused):
        return None
    if not masked.protected:
        return Rewritten(text=target)
    edits = [
        _edit(target, (at, at + len(symbol)), masked, span)
        for symbol, span in zip(masked.symbols, masked.protected, strict=False)
        for at in (target.index(symbol),)
    ]
    found = rewrite(target, _without_overlap(sorted(edits, key=lambda edit: edit.start)))
    return found if keeps_all(found.text, masked.protected) else None


def place_by_alignment(target: str, links: Sequence[WordLink], masked: Masked) -> Rewritten | None:
    """Replaces the words of a translation that are aligned with protected spans.

    Args:
        target: The translation, in which symbols may be missing or repeated.
        links: From `masked.text` to `target`.
        masked: What was translated.

    Returns:
        The translation, without symbols that the model made up; None if a span is aligned with
        nothing, or shares words with another.
    """
    places: list[tuple[Span, Protected]] = []
    for span in masked.protected:
        place = _aligned_span(span, links)
        if place is None:
            return None
        places.append((_trimmed(target, place), span))
    places.sort(key=lambda place: place[0])
    if any(first[1] > second[0] for (first, _), (second, _) in pairwise(places)):
        return None
    edits = [_edit(target, place, masked, span) for place, span in places]
    placed = rewrite(target, _without_overlap(edits))
    known = "\0".join([masked.text, *(span.replacement for span in masked.protected)])
    made_up = without_symbols(placed.text, masked.made_up(known))
    placed = joined(placed, made_up) if made_up.edits else placed
    has_symbol = any(symbol in placed.text for symbol in masked.symbols)
    return placed if keeps_all(placed.text, masked.protected) and not has_symbol else None


def without_symbols(target: str, symbols: Iterable[str]) -> Rewritten:
    """A translation without some symbols, each with a space beside it."""
    found = [re.escape(symbol) for symbol in symbols if symbol in target]
    if not found:
        return Rewritten(text=target)
    any_of = "|".join(found)
    matches = re.finditer(rf"\A(?:(?:{any_of})\s?)+|\s?(?:{any_of})", target)
    return rewrite(target, [Edit(start=m.start(), end=m.end(), text="") for m in matches])


def _aligned_span(span: Protected, links: Sequence[WordLink]) -> Span | None:
    """The target word with the heaviest link to `span`, extended by linked words beside it."""
    linked = [link for link in links if link.source[0] < span.end and span.start < link.source[1]]
    if not linked:
        return None
    start, end = max(linked, key=lambda link: link.weight).target
    words = sorted({link.target for link in linked})
    for word_start, word_end in words:
        if end <= word_start <= end + _MAX_GAP:
            end = word_end
    for word_start, word_end in reversed(words):
        if start - _MAX_GAP <= word_end <= start:
            start = word_start
    return start, end


def _trimmed(target: str, span: Span) -> Span:
    """`span` without punctuation at either end, which belongs to the sentence around it."""
    found = target[slice(*span)]
    core = found.strip(_PUNCTUATION)
    start = span[0] + found.index(core)
    return (start, start + len(core)) if core else span


def _edit(target: str, place: Span, masked: Masked, span: Protected) -> Edit:
    """Puts a replacement at `place` in the translation, spaced as in the source."""
    start, end, lead, tail = respaced(
        Surroundings(text=target, start=place[0], end=place[1]),
        Surroundings(text=masked.text, start=span.start, end=span.end),
    )
    return Edit(start=start, end=end, text=lead + span.replacement + tail)


def _without_overlap(edits: Sequence[Edit]) -> list[Edit]:
    """Gives a space that two neighbours claim to the first."""
    ends = [0, *(edit.end for edit in edits)]
    return [replace(e, start=max(e.start, end)) for e, end in zip(edits, ends, strict=False)]
