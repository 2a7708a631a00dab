"""Anchors: the source word that each word of a translation comes from."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.text.alignment.word_links import WordLink

_WIDE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts without spaces between words: each character is a unit."""
_MARK = (
    "!-/:-@\\[-`{-~\xa1\xab\xb7\xbb\xbf\u2010-\u2027\u2030-\u205e\u3001-\u303f\uff01-\uff0f"
    "\uff1a-\uff20\ue000-\uf8ff"
)
_UNIT = re.compile(
    rf"[{_WIDE}]|[{_MARK}]|[^\s{_MARK}{_WIDE}]++(?:['’.-][^\s{_MARK}{_WIDE}]++)*+"  # noqa: RUF001
)
_IS_MARK = re.compile(rf"[{_MARK}]")

_PLAIN_MARKS = str.maketrans("„“”«»‹›‘’‚'。，！？：；（）", '"' * 11 + ".,!?:;()")  # noqa: RUF001
"""Marks that languages write differently, as one."""

Anchors = list[int | None]
"""The index of a source unit for each target unit; None: not anchored."""

_MAX_WORD_UNITS = 4
"""Most units on either side of a link between words, as opposed to whole sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextUnit:
    """A word or a punctuation mark."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """Offset behind the unit."""
        return self.start + len(self.text)

    @property
    def is_mark(self) -> bool:
        """Whether it is a punctuation mark."""
        return _IS_MARK.match(self.text) is not None


def text_units(text: str, cuts: Iterable[int] = ()) -> list[TextUnit]:
    """The words and punctuation marks of `text`, in order; no unit crosses one of `cuts`."""
    units: list[TextUnit] = []
    inner_cuts = iter(sorted({cut for cut in cuts if 0 < cut < len(text)}))
    cut = next(inner_cuts, len(text))
    for match in _UNIT.finditer(text):
        start = match.start()
        while start < match.end():
            while cut <= start:
                cut = next(inner_cuts, len(text))
            end = min(cut, match.end())
            units.append(TextUnit(text=text[start:end], start=start))
            start = end
    return units


def anchor_units(
    source: Sequence[TextUnit], target: Sequence[TextUnit], links: Sequence[WordLink]
) -> Anchors:
    """Anchors each target unit to the source unit of its heaviest link.

    Without any links, both texts are taken to be in the same order. A unit without a link gets the
    unlinked source unit beside its neighbour's anchor, if both are words or the same mark.
    """
    if not source or not target:
        return [None] * len(target)
    if not links:
        return [index * len(source) // len(target) for index in range(len(target))]
    anchors = _linked(source, target, links)
    _fill(anchors, source, target, step=1)
    _fill(anchors, source, target, step=-1)
    return anchors


def _linked(
    source: Sequence[TextUnit], target: Sequence[TextUnit], links: Sequence[WordLink]
) -> Anchors:
    anchors: Anchors = [None] * len(target)
    for link in sorted(links, key=lambda link: link.weight):
        members = units_within(source, *link.source)
        if not members:
            continue
        first_like = {source[member].text: member for member in reversed(members)}
        covered = units_within(target, *link.target)
        for rank, index in enumerate(covered):
            by_rank = members[rank * len(members) // len(covered)]
            text = target[index].text
            is_same = source[by_rank].text == text
            anchors[index] = by_rank if is_same else first_like.get(text, by_rank)
    return anchors


def targets_by_source(anchors: Anchors, num_source: int) -> list[list[int]]:
    """The target units anchored to each source unit, in order."""
    units: list[list[int]] = [[] for _ in range(num_source)]
    for unit, anchor in enumerate(anchors):
        if anchor is not None:
            units[anchor].append(unit)
    return units


def linked_units(
    source: Sequence[TextUnit], target: Sequence[TextUnit], links: Sequence[WordLink]
) -> list[list[int]]:
    """All target units with a word link to each source unit, whatever its weight."""
    linked: list[list[int]] = [[] for _ in source]
    for link in links:
        members = units_within(source, *link.source)
        covered = units_within(target, *link.target)
        if len(members) <= _MAX_WORD_UNITS and len(covered) <= _MAX_WORD_UNITS:
            for member in members:
                linked[member] += covered
    return linked


def units_within(units: Sequence[TextUnit], start: int, end: int) -> range:
    """Indices of the units with characters in `[start, end)`."""
    first = bisect_right(units, start, key=lambda unit: unit.end)
    return range(first, bisect_left(units, end, lo=first, key=lambda unit: unit.start))


def _fill(
    anchors: Anchors, source: Sequence[TextUnit], target: Sequence[TextUnit], step: int
) -> None:
    """Anchors, in place, the neighbours of anchored units to the right (1) or the left (-1)."""
    used = set(anchors)
    indices = range(len(target)) if step == 1 else range(len(target) - 1, -1, -1)
    neighbour = -1 if step == 1 else len(source)
    for index in indices:
        anchor = anchors[index]
        if anchor is None:
            anchor = neighbour + step
            if not 0 <= anchor < len(source) or anchor in used:
                continue
            if not _may_match(source[anchor], target[index]):
                continue
            anchors[index] = anchor
            used.add(anchor)
        neighbour = anchor


def _may_match(source: TextUnit, target: TextUnit) -> bool:
    if source.is_mark or target.is_mark:
        return source.text.translate(_PLAIN_MARKS) == target.text.translate(_PLAIN_MARKS)
    return True
