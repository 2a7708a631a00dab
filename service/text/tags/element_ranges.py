"""Which words of a translation belong to each inline element."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from service.text.alignment.units import Anchors, TextUnit, targets_by_source, units_within
from service.text.markup.passage import Tag

ROOT = -1
"""The passage itself."""
_MAX_DEPTH = 64
"""Deeper elements are not placed: the first of each parent holds what its parent holds."""
_MAX_GAP = 4
"""Most unaligned units between two parts of an element."""
_MIN_PARTS = 3
"""Fewest units of an element that one stray word does not split."""


def parent_elements(tags: Sequence[Tag]) -> list[int]:
    """The index of the opening tag of the element around each tag, or `ROOT`.

    Both tags of an element have the same parent. Tags without a partner contain nothing.
    """
    parents: list[int] = []
    stack = [ROOT]
    for index, tag in enumerate(tags):
        if tag.partner is not None and tag.partner < index:
            stack.pop()
        parents.append(stack[-1])
        if opens_element(tags, index):
            stack.append(index)
    return parents


def element_depths(parents: Sequence[int]) -> list[int]:
    """Number of elements around each tag."""
    depths: list[int] = []
    for parent in parents:
        depths.append(0 if parent == ROOT else depths[parent] + 1)
    return depths


def innermost_elements(tags: Sequence[Tag], places: Sequence[float]) -> list[int]:
    """The innermost element around each place in the text, or `ROOT`; `places` ascend."""
    innermost: list[int] = []
    stack = [ROOT]
    index = 0
    for place in places:
        while index < len(tags) and tags[index].position <= place:
            partner = tags[index].partner
            if partner is not None and partner < index:
                stack.pop()
            elif partner is not None:
                stack.append(index)
            index += 1
        innermost.append(stack[-1])
    return innermost


def opens_element(tags: Sequence[Tag], index: int) -> bool:
    """Whether this tag opens an element that is closed."""
    partner = tags[index].partner
    return partner is not None and partner > index


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRange:
    """The consecutive units of an element, in the source and in the translation."""

    source: tuple[int, int]
    target: tuple[int, int]
    """Empty if none of its words is aligned."""

    @property
    def is_placed(self) -> bool:
        """Whether it holds any words of the translation."""
        return self.target[0] < self.target[1]


class ElementRanges:
    """Assigns words of the translation to each element; elements nest as in the source."""

    def __init__(
        self,
        tags: Sequence[Tag],
        source: Sequence[TextUnit],
        anchors: Anchors,
        linked: Sequence[Sequence[int]],
    ) -> None:
        """Places all elements, outer ones first; the cost is linear for documents of any depth.

        Args:
            tags: Of the passage.
            source: Its units.
            anchors: The source unit that each target unit is anchored to.
            linked: The target units linked with each source unit; used for an element that no
                target unit is anchored to.
        """
        self.parents = parent_elements(tags)
        """The element around each tag."""
        self.middles = [(unit.start + unit.end - 1) / 2 for unit in source]
        """Middles of the source units; an element holds a unit if it holds its middle."""
        self.owners = [ROOT] * len(anchors)
        """The innermost element around each target unit."""
        self.ranges = {ROOT: UnitRange(source=(0, len(source)), target=(0, len(anchors)))}
        """The units of each element, by the index of its opening tag."""
        self._source = source
        self._anchors = anchors
        self._source_owners = innermost_elements(tags, self.middles)
        self._units_of = targets_by_source(anchors, len(source))
        self._linked = linked
        self._place_all(tags)

    def child_around(self, unit: int, parent: int) -> int | None:
        """The child of `parent` that holds a target unit; None if none does."""
        element = self.owners[unit]
        while element not in (ROOT, parent):
            if self.parents[element] == parent:
                return element
            element = self.parents[element]
        return None

    def _place_all(self, tags: Sequence[Tag]) -> None:
        depths = element_depths(self.parents)
        full: set[int] = set()
        for index, tag in enumerate(tags):
            if not opens_element(tags, index) or tag.partner is None:
                continue
            if depths[index] < _MAX_DEPTH:
                self._place(index, tag.position, tags[tag.partner].position)
                continue
            parent = self.parents[index]
            around = self.ranges[parent]
            is_first = parent not in full
            end = around.target[1]
            self.ranges[index] = around if is_first else UnitRange(source=(0, 0), target=(end, end))
            full.add(parent)

    def _place(self, element: int, start: int, end: int) -> None:
        parent = self.parents[element]
        first, last = bisect_left(self.middles, start), bisect_left(self.middles, end)
        target = self._target_range(parent, first, last)
        if target[0] == target[1] and start < end:
            # It may hold part of a word: then it gets the whole word.
            touched = units_within(self._source, start, end)
            target = self._target_range(parent, touched.start, touched.stop)
        if target[0] == target[1]:
            target = self._target_range(parent, first, last, self._linked)
        self.ranges[element] = UnitRange(source=(first, last), target=target)
        self.owners[target[0] : target[1]] = [element] * (target[1] - target[0])

    def _target_range(
        self, parent: int, first: int, last: int, units_of: Sequence[Sequence[int]] | None = None
    ) -> tuple[int, int]:
        around = self.ranges[parent]
        begin, end = around.target
        if first >= last or begin == end:
            return begin, begin
        if around.source == (first, last) and all(o == parent for o in self.owners[begin:end]):
            return begin, end
        units_of = units_of or self._units_of
        found = sorted(
            {
                unit
                for source_unit in range(first, last)
                for unit in units_of[source_unit]
                if self.owners[unit] == parent and begin <= unit < end
            }
        )
        if not found:
            return begin, begin
        return max(self._runs(found, parent, first, last), key=lambda run: run[1] - run[0])

    def _runs(
        self, found: Sequence[int], parent: int, first: int, last: int
    ) -> Iterator[tuple[int, int]]:
        """Runs of units with nothing of another element in between."""
        num_strays = 1 if len(found) >= _MIN_PARTS else 0
        start = found[0]
        for unit, following in pairwise(found):
            gap = range(unit + 1, following)
            if len(gap) <= _MAX_GAP and self._is_free(gap, parent, (first, last), num_strays):
                continue
            yield start, unit + 1
            start = following
        yield start, found[-1] + 1

    def _is_free(self, gap: range, parent: int, source: tuple[int, int], num_strays: int) -> bool:
        strays = 0
        for unit in gap:
            anchor = self._anchors[unit]
            if self.owners[unit] != parent:
                return False
            if anchor is not None and not source[0] <= anchor < source[1]:
                strays += 1
                if self._source_owners[anchor] != parent:
                    return False
        return strays <= num_strays
