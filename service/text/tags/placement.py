"""Places the inline tags of a passage beside its translated words."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from service.text.alignment.units import (
    Anchors,
    TextUnit,
    anchor_units,
    linked_units,
    targets_by_source,
    text_units,
)
from service.text.alignment.word_links import Span, WordLink
from service.text.markup.passage import Tag
from service.text.tags.element_ranges import ROOT, ElementRanges, opens_element


def place_tags(
    tags: Sequence[Tag], source_text: str, target_text: str, links: Sequence[WordLink]
) -> tuple[Tag, ...]:
    """The same tags, each once, with their positions in `target_text`.

    An element holds the translations of its words, or the longest run of them if they are not
    adjacent, and stays within its parent. A single tag stays beside the word that it touched, else
    before the word that followed it; where it stood between two spaces and now has only one beside
    it, the other is added to its text. A tag without words keeps its place in the order.

    Args:
        tags: Of a passage, by position.
        source_text: The passage.
        target_text: Its translation.
        links: Between the two, in offsets of the passage; if there are none, words are taken to
            be in the same order.
    """
    if not tags:
        return ()
    source = text_units(source_text, (edge for link in links for edge in link.source))
    target = text_units(target_text, (edge for link in links for edge in link.target))
    anchors = anchor_units(source, target, links)
    placement = _Placement(
        tags=tags,
        source_text=source_text,
        target_text=target_text,
        source=source,
        target=target,
        ranges=ElementRanges(tags, source, anchors, linked_units(source, target, links)),
        neighbours=_Neighbours(anchors, len(source)),
    )
    spans = placement.spans()
    return placement.spaced(_in_order(tags, placement.ranges.parents, spans, len(target_text)))


class _Neighbours:
    """Target units of the aligned source units nearest to a place."""

    def __init__(self, anchors: Anchors, num_source: int) -> None:
        units = targets_by_source(anchors, num_source)
        self._before: list[int | None] = [None]
        for found in units:
            self._before.append(found[-1] if found else self._before[-1])
        after: list[int | None] = [None]
        for found in reversed(units):
            after.append(found[0] if found else after[-1])
        self._after = after[::-1]

    def before(self, place: int) -> int | None:
        """The target unit of the nearest source unit before the one with index `place`."""
        return self._before[place]

    def after(self, place: int) -> int | None:
        """The target unit of the source unit with index `place`, or of the nearest one behind."""
        return self._after[place]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placement:
    tags: Sequence[Tag]
    source_text: str
    target_text: str
    source: Sequence[TextUnit]
    target: Sequence[TextUnit]
    ranges: ElementRanges
    neighbours: _Neighbours

    def spans(self) -> dict[int, Span]:
        """The preferred span of each element and each single tag, by index of its first tag."""
        spans: dict[int, Span] = {ROOT: (0, len(self.target_text))}
        points: list[int] = []
        for index, tag in enumerate(self.tags):
            if opens_element(self.tags, index) and self.ranges.ranges[index].is_placed:
                spans[index] = self._span(index, spans[self.ranges.parents[index]])
            elif tag.partner is None or tag.partner > index:
                points.append(index)
        for index in points:
            offset = self._point(index, spans)
            spans[index] = (offset, offset)
        return spans

    def spaced(self, ordered: Sequence[tuple[int, int]]) -> tuple[Tag, ...]:
        """The tags at their offsets, with the spaces that stood beside them."""
        new_indices = {index: rank for rank, (index, _) in enumerate(ordered)}
        offsets = dict(ordered)
        placed: list[Tag] = []
        for rank, (index, offset) in enumerate(ordered):
            tag = self.tags[index]
            following = ordered[rank + 1][0] if rank + 1 < len(ordered) else None
            is_last = following is None or (
                (offsets[following], self.tags[following].position) != (offset, tag.position)
            )
            has_lost_space = is_last and self._has_lost_space(index, offsets)
            partner = None if tag.partner is None else new_indices[tag.partner]
            text = tag.text + " " if has_lost_space else tag.text
            placed.append(replace(tag, position=offset, text=text, partner=partner))
        return tuple(placed)

    def _span(self, element: int, around: Span) -> Span:
        """From the first to the last of its words, with white space that it began or ended with."""
        tag = self.tags[element]
        first, last = self.ranges.ranges[element].target
        start, end = self.target[first].start, self.target[last - 1].end
        close = self.tags[tag.partner or 0].position
        if self._is_space(tag.position) and not self._is_space(tag.position - 1):
            start = len(self.target_text[around[0] : start].rstrip()) + around[0]
        if self._is_space(close - 1) and not self._is_space(close):
            rest = self.target_text[end : around[1]]
            end += len(rest) - len(rest.lstrip())
        return start, end

    def _point(self, index: int, spans: dict[int, Span]) -> int:
        """Offset of a single tag: beside the word that it touched, within no other element."""
        parent = self.ranges.parents[index]
        around, (start, end) = self.ranges.ranges[parent], spans[parent]
        place = bisect_left(self.ranges.middles, self.tags[index].position)
        if place <= around.source[0] or not around.is_placed:
            return start
        if place >= around.source[1]:
            return end
        is_behind = self._stays_behind(self.tags[index])
        near = self.neighbours.before(place) if is_behind else self.neighbours.after(place)
        if near is None:
            return start if is_behind else end
        element = self.ranges.child_around(near, parent)
        unit = self.target[near]
        beside = (unit.start, unit.end) if element is None else spans[element]
        return beside[1] if is_behind else beside[0]

    def _stays_behind(self, tag: Tag) -> bool:
        is_lone_opening = tag.kind == "open" and tag.partner is None
        touches_next = not self._is_space(tag.position)
        return not (self._is_space(tag.position - 1) or (is_lone_opening and touches_next))

    def _has_lost_space(self, index: int, offsets: dict[int, int]) -> bool:
        tag = self.tags[index]
        offset, partner = offsets[index], tag.partner
        if partner is not None and (offsets[partner], self.tags[partner].position) != (
            offset,
            tag.position,
        ):
            return False
        if not (self._is_space(tag.position - 1) and self._is_space(tag.position)):
            return False
        before, after = self.target_text[offset - 1 : offset], self.target_text[offset : offset + 1]
        return before.isspace() and bool(after) and not after.isspace()

    def _is_space(self, position: int) -> bool:
        """Whether the source has white space at `position`."""
        return position >= 0 and self.source_text[position : position + 1].isspace()


def _in_order(
    tags: Sequence[Tag], parents: Sequence[int], spans: dict[int, Span], end: int
) -> list[tuple[int, int]]:
    """Tags and offsets in the order of the translation; each stays within its element."""
    ordered: list[tuple[int, int]] = []
    children = _children(parents, spans)
    stack = [(ROOT, children(ROOT), end)]
    offset = 0
    while stack:
        element, siblings, limit = stack[-1]
        index = next(siblings, None)
        if index is not None:
            offset = min(max(offset, spans[index][0]), limit)
            ordered.append((index, offset))
            if opens_element(tags, index):
                end = min(max(offset, spans[index][1]), limit)
                stack.append((index, children(index), end))
            continue
        stack.pop()
        partner = tags[element].partner if element != ROOT else None
        if partner is not None:
            offset = limit
            ordered.append((partner, offset))
    return ordered


def _children(parents: Sequence[int], spans: dict[int, Span]) -> Callable[[int], Iterator[int]]:
    """The children of an element, by span; at one place, in the order of the source."""
    by_parent: dict[int, list[int]] = {}
    for index in sorted(spans):
        if index != ROOT:
            by_parent.setdefault(parents[index], []).append(index)
    return lambda element: iter(
        sorted(by_parent.get(element, ()), key=lambda index: (spans[index], index))
    )
