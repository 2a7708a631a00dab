"""A text in which stretches were replaced, and which offset became which."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Another text for `[start, end)`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The new text, with the way from old offsets to new ones and back."""

    text: str
    edits: tuple[Edit, ...] = ()
    """In the old text, sorted and disjoint."""
    starts: tuple[int, ...] = ()
    """Where each of them begins in the new text."""

    def new_span(self, start: int, end: int) -> tuple[int, int]:
        """Where `[start, end)` of the old text is; an edit is in it whole if any of it is."""
        return self._new(start, at_end=False), self._new(end, at_end=True)

    def old_span(self, start: int, end: int) -> tuple[int, int]:
        """Where `[start, end)` of the new text was; likewise."""
        return self._old(start, at_end=False), self._old(end, at_end=True)

    def _new(self, offset: int, *, at_end: bool) -> int:
        index = bisect_right(self.edits, offset, key=lambda edit: edit.start) - 1
        if index < 0:
            return offset
        edit, start = self.edits[index], self.starts[index]
        if edit.start < offset < edit.end:
            return start + len(edit.text) if at_end else start
        if offset == edit.start:
            return start
        return start + len(edit.text) + offset - edit.end

    def _old(self, offset: int, *, at_end: bool) -> int:
        index = bisect_right(self.starts, offset) - 1
        if index < 0:
            return offset
        edit, start = self.edits[index], self.starts[index]
        if start < offset < start + len(edit.text):
            return edit.end if at_end else edit.start
        if offset == start:
            return edit.start
        return edit.end + offset - start - len(edit.text)


def rewrite(text: str, edits: Sequence[Edit]) -> Rewritten:
    """Make all edits at once.

    Args:
        text: The old text.
        edits: Sorted and disjoint.
    """
    ends = [0, *(edit.end for edit in edits)]
    kept = [text[end : edit.start] for end, edit in zip(ends, edits, strict=False)]
    lengths = (len(k) + len(edit.text) for k, edit in zip(kept, edits, strict=True))
    starts = [
        total - len(edit.text) for total, edit in zip(accumulate(lengths), edits, strict=True)
    ]
    parts = [part for k, edit in zip(kept, edits, strict=True) for part in (k, edit.text)]
    return Rewritten(
        text="".join([*parts, text[ends[-1] :]]), edits=tuple(edits), starts=tuple(starts)
    )
