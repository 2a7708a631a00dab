"""Replacements of spans in a text: offsets before and after them, and the spaces beside them."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

_OPENING = "([{<\"'„“‚‘«‹/-_=#@"  # noqa: RUF001
_CLOSING = ")]}>\"'“”‘’»›/-_=.,%"  # noqa: RUF001
_FIRST_CJK = "\u2e80"
"""Scripts from here on hardly ever put spaces between words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A new text for `[start, end)`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A text after its edits; translates offsets between old and new."""

    text: str
    edits: tuple[Edit, ...] = ()
    """Offsets in the old text; sorted and disjoint."""
    starts: tuple[int, ...] = ()
    """Where each edit begins in the new text."""

    def new_span(self, start: int, end: int) -> tuple[int, int]:
        """`[start, end)` of the old text in the new one; a touched edit is in it as a whole."""
        return self._new(start, at_end=False), self._new(end, at_end=True)

    def old_span(self, start: int, end: int) -> tuple[int, int]:
        """`[start, end)` of the new text in the old one; a touched edit is in it as a whole."""
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
    """Applies all edits at once.

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


def joined(first: Rewritten, second: Rewritten) -> Rewritten:
    """Two rewritings as one, from the first's old text to the second's new one.

    Args:
        first: Its new text is the old one of `second`.
        second: What is done to it next.
    """
    if not (first.edits and second.edits):
        return first if not second.edits else second
    later = [first.old_span(edit.start, edit.end) for edit in second.edits]
    spans: list[tuple[int, int]] = []
    for start, end in sorted([*((edit.start, edit.end) for edit in first.edits), *later]):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        elif not spans or (start, end) != spans[-1]:
            spans.append((start, end))
    found = [second.new_span(*first.new_span(*span)) for span in spans]
    return Rewritten(
        text=second.text,
        edits=tuple(
            Edit(start=old[0], end=old[1], text=second.text[slice(*new)])
            for old, new in zip(spans, found, strict=True)
        ),
        starts=tuple(start for start, _ in found),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """A span of a text and the characters on either side of it."""

    text: str
    start: int
    end: int

    @property
    def before(self) -> str:
        """The character before the span, a space at the beginning of the text."""
        return _at(self.text, self.start - 1)

    @property
    def behind(self) -> str:
        """The character behind the span, a space at the end of the text."""
        return _at(self.text, self.end)


def respaced(target: Surroundings, source: Surroundings) -> tuple[int, int, str, str]:
    """How to space a span of a translation like the same span of the source.

    A space is removed where the source has none beside a bracket, a quote or a hyphen, and the
    translation has both. A space is added where a word of the translation would touch the span.

    Returns:
        Start and end of the span with the spaces to remove, then the text to put before and
        behind it.
    """
    start, end = target.start, target.end
    if (
        target.before == " "
        and source.before in _OPENING
        and _at(target.text, start - 2) in _OPENING
    ):
        start -= 1
    if target.behind == " " and source.behind in _CLOSING and _at(target.text, end + 1) in _CLOSING:
        end += 1
    lead = " " if source.before.isspace() and _is_glued(target.before) else ""
    tail = " " if source.behind.isspace() and _is_glued(target.behind) else ""
    return start, end, lead, tail


def _at(text: str, index: int) -> str:
    return text[index] if 0 <= index < len(text) else " "


def _is_glued(character: str) -> bool:
    return character.isalnum() and character < _FIRST_CJK
