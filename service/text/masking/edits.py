"""A text in which stretches were replaced, and which offset became which."""

import re
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


_OPENING = "([{<\"'„“‚‘«‹/-_=#@"  # noqa: RUF001
_CLOSING = ")]}>\"'“”‘’»›/-_=.,%"  # noqa: RUF001
_FIRST_CJK = "\u2e80"
"""From here on, hardly any script puts spaces between words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """A stretch of a text."""

    text: str
    start: int
    end: int

    @property
    def before(self) -> str:
        """The character before it, a space at the beginning of the text."""
        return _at(self.text, self.start - 1)

    @property
    def behind(self) -> str:
        """The character behind it, a space at the end of the text."""
        return _at(self.text, self.end)


def respaced(target: Surroundings, source: Surroundings) -> tuple[int, int, str, str]:
    """How to space a stretch of a translation like the same stretch of the source.

    A space goes if the source had none beside a bracket, a quote or a hyphen, and the translation
    has one there; a space comes where a word of the translation would be glued to the stretch.

    Returns:
        The stretch with the spaces that have to go, and what has to stand before and behind it.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """What stands at `[start, end)` in a sentence, and what has to stand in its translation."""

    start: int
    end: int
    """Character offsets in the sentence, end exclusive."""
    replacement: str
    """The same characters for a placeholder, the wanted term for a glossary entry."""


def standing_alone(text: str) -> str:
    """A pattern for `text` with no letter or digit going on before or behind its own."""
    before = r"(?<!\w)" if text[:1].isalnum() else ""
    behind = r"(?!\w)" if text[-1:].isalnum() else ""
    return before + re.escape(text) + behind


def any_of(texts: frozenset[str]) -> re.Pattern[str]:
    """Matches any of `texts` standing alone, the longest of those that begin at one place."""
    return re.compile("|".join(map(standing_alone, sorted(texts, key=lambda text: -len(text)))))
