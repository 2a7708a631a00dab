"""Which word of the source each word of the translation comes from."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.text.alignment.word_links import WordLink

_WIDE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts without spaces: each character is a unit."""
_MARK = (
    "!-/:-@\\[-`{-~\xa1\xab\xb7\xbb\xbf\u2010-\u2027\u2030-\u205e\u3001-\u303f\uff01-\uff0f"
    "\uff1a-\uff20\ue000-\uf8ff"
)
_UNIT = re.compile(
    rf"[{_WIDE}]|[{_MARK}]|[^\s{_MARK}{_WIDE}]++(?:['’.-][^\s{_MARK}{_WIDE}]++)*+"  # noqa: RUF001
)
_IS_MARK = re.compile(rf"[{_MARK}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextUnit:
    """A word, or a punctuation mark."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """Offset behind it."""
        return self.start + len(self.text)

    @property
    def is_mark(self) -> bool:
        """Whether it is no word."""
        return _IS_MARK.match(self.text) is not None


def text_units(text: str, cuts: Iterable[int] = ()) -> list[TextUnit]:
    """All but the white space of `text`, in order; no unit goes on over one of `cuts`."""
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


_PLAIN_MARKS = str.maketrans("„“”«»‹›‘’‚'。，！？：；（）", '"' * 11 + ".,!?:;()")  # noqa: RUF001
"""What languages write differently."""

Anchors = list[int | None]
"""For each target unit, the index of a source unit."""

_MAX_WORD_UNITS = 4
"""Units on either side of a link that is about a word, and not about a sentence."""


def anchor_units(
    source: Sequence[TextUnit], target: Sequence[TextUnit], links: Sequence[WordLink]
) -> Anchors:
    """Give each target unit the source unit of its heaviest link.

    Without any links, both texts are taken to be in the same order. Units without a link get the
    source unit that has none either and stands beside their neighbour's: a full stop the full stop,
    a word the word.
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
    """For each source unit, the target units that come from it, in order."""
    units: list[list[int]] = [[] for _ in range(num_source)]
    for unit, anchor in enumerate(anchors):
        if anchor is not None:
            units[anchor].append(unit)
    return units


def linked_units(
    source: Sequence[TextUnit], target: Sequence[TextUnit], links: Sequence[WordLink]
) -> list[list[int]]:
    """For each source unit, all target units with a link of their own to it, heavy or light."""
    linked: list[list[int]] = [[] for _ in source]
    for link in links:
        members = units_within(source, *link.source)
        covered = units_within(target, *link.target)
        if len(members) <= _MAX_WORD_UNITS and len(covered) <= _MAX_WORD_UNITS:
            for member in members:
                linked[member] += covered
    return linked


def units_within(units: Sequence[TextUnit], start: int, end: int) -> range:
    """Indices of the units that have characters in `[start, end)`."""
    first = bisect_right(units, start, key=lambda unit: unit.end)
    return range(first, bisect_left(units, end, lo=first, key=lambda unit: unit.start))


def _fill(
    anchors: Anchors, source: Sequence[TextUnit], target: Sequence[TextUnit], step: int
) -> None:
    """Go on from anchored units, to the right (1) or to the left (-1), changing `anchors`."""
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
