"""Invisible characters within a text: soft hyphens, spaces without width, directional marks.

Models have hardly ever seen them, and read each as a few bytes in the middle of a word.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ALWAYS = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters that are no white space
    "\u00ad\u034f\u061c\u200b\u200e\u200f\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb"
)
_ATTACHED = "\u200c\u200d\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef"
"""Joiners, variation selectors, and the letters in a region's flag."""
_JOINED = "\u0590-\u061b\u061d-\u1cff\ua000-\udfff\uf900-\ufaff\ufb1d-\ufdff\ufe70-\ufefc"
"""Scripts whose letters joiners join or part, such as Arabic and Devanagari, among others."""
_BEARING = f"\xa9\xae\u203c\u2049\u2100-\u9fff\U00010000-\U0003ffff{_JOINED}{_ATTACHED}"
"""Those, ideographs and pictures: before others, such as Latin letters, nothing is attached."""

INVISIBLE = re.compile(
    f"[{_ALWAYS}{_ATTACHED}](?:(?<=[{_ALWAYS}])"
    # `1\ufe0f\u20e3` is a keycap; a joiner before a letter gives that another form.
    f"|(?<![{_BEARING}].)[{_ATTACHED}]*+(?!\u20e3|(?<=[\u200c\u200d])[{_JOINED}]))",
    re.DOTALL,
)
"""A character that is left out, or several; the first set lets most texts be searched fast."""


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
    left_out = {at for match in INVISIBLE.finditer(text) for at in range(*match.span())}
    for start, end in kept:
        left_out.difference_update(range(start, end))
    offsets = tuple(at for at in range(len(text)) if at not in left_out)
    return Visible(text="".join(text[at] for at in offsets), offsets=offsets)
