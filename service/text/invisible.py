"""Invisible characters within a text: soft hyphens, spaces without width, directional marks.

Models have hardly ever seen them, and read each as a few bytes in the middle of a word.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

INVISIBLE = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u2060-\u2064\ufeff]")
"""Joiners are not among them: they say how letters of Persian and Hindi, and emoji, are joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """A text without its invisible characters."""

    text: str
    offsets: tuple[int, ...] | None = None
    """Where each of its characters stands in the whole text; None where nothing is left out."""

    def whole_span(self, start: int, end: int) -> tuple[int, int]:
        """`[start, end)` of the visible text in the whole one, from a visible character to one."""
        if self.offsets is None:
            return start, end
        if start < end:
            return self.offsets[start], self.offsets[end - 1] + 1
        place = self.behind(start)
        return place, place

    def behind(self, offset: int) -> int:
        """Where the visible character before `offset` ends in the whole text."""
        if self.offsets is None:
            return offset
        return self.offsets[offset - 1] + 1 if offset else 0


def visible_part(text: str, kept: Iterable[tuple[int, int]] = ()) -> Visible:
    """A text without its invisible characters; the cost is linear.

    Args:
        text: Any text.
        kept: Spans in which every character stays.
    """
    if not INVISIBLE.search(text):
        return Visible(text=text)
    left_out = {match.start() for match in INVISIBLE.finditer(text)}
    for start, end in kept:
        left_out.difference_update(range(start, end))
    offsets = tuple(at for at in range(len(text)) if at not in left_out)
    return Visible(text="".join(text[at] for at in offsets), offsets=offsets)
