"""Joins the lines of hard-wrapped text: e-mails, README files."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from service.text.shape import LIST_MARKER

_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_INDENT = re.compile(r"\s*")
_FIRST_WORD = re.compile(r"\S+")
_QUOTATION_OR_HEADING = re.compile(r"\s*[>|#]")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_RULE = re.compile(r"\s*([-=_*~])(?:\s*\1)*+\s*")
_CODE = re.compile(
    r"[{};\\]\s*\Z"
    r"|\A\s*(?:[$%]\s|</?\w|//|/\*)"
    r"|\S(?:\ {3}|\t)\s*\S"  # columns
)
_CODE_INDENT = 4
_MAX_WIDTH = 132
"""Longer lines were not wrapped."""
_MIN_FILL = 0.8
"""Share of the widest line from which a line is full: edited text has shorter lines."""
_WITHOUT_SPACES = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
"""Chinese and Japanese: a line break stands for no space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """A text whose paragraphs are single lines."""

    text: str
    starts: tuple[int, ...] = (0,)
    """Offsets in `text` behind each removed line break, ascending; the first is 0."""
    source_starts: tuple[int, ...] = (0,)
    """The same offsets in the source."""

    def source_offset(self, offset: int) -> int:
        """Offset in the source of the character at `offset` of `text`."""
        piece = bisect_right(self.starts, offset) - 1
        return self.source_starts[piece] + offset - self.starts[piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    content: str
    """Without the white space at its end."""
    start: int
    """Offset of `content` in the text."""
    kind: Literal["prose", "item", "fixed"]
    """Fixed lines are never joined with their neighbours."""

    @property
    def indent(self) -> int:
        """Characters before its words, the marker of a list item included."""
        pattern = LIST_MARKER if self.kind == "item" else _INDENT
        match = pattern.match(self.content)
        return match.end() if match else 0


def unwrap(text: str) -> Unwrapped:
    """Joins the lines of each paragraph with single spaces.

    A line is joined with the next one if it was full: if the next word would have exceeded the
    widest line of the text. Blank lines, headings, quoted lines (`> `), tables, code (fenced,
    indented or by its looks) and the beginnings of list items are kept.

    Removed line breaks and the white space around them are lost. A word hyphenated at the end of
    a line stays in two parts.
    """
    joints = [*_joints(list(_lines(text)))]
    source_starts = (0, *(start for _, start in joints))
    ends = (*(end for end, _ in joints), len(text))
    pieces = [text[start:end] for start, end in zip(source_starts, ends, strict=True)]
    glued = [first + _glue(first, second) for first, second in pairwise(pieces)]
    starts = accumulate(map(len, glued), initial=0)
    return Unwrapped(
        text="".join([*glued, pieces[-1]]), starts=tuple(starts), source_starts=source_starts
    )


def _glue(first: str, second: str) -> str:
    has_spaces = not (_WITHOUT_SPACES.match(first[-1:]) and _WITHOUT_SPACES.match(second[:1]))
    return " " if has_spaces else ""


def _joints(lines: Sequence[_Line]) -> Iterator[tuple[int, int]]:
    """End of each joined line, and the start of the text joined to it."""
    widths = (len(line.content) for line in lines if line.kind != "fixed")
    width = max((width for width in widths if width <= _MAX_WIDTH), default=0)
    indents: tuple[int, ...] = ()
    """Indents of lines that may continue the paragraph so far; empty: none may."""
    for line, following in pairwise(lines):
        indents = indents or _indents_of_continuation(line)
        is_joined = (
            following.kind == "prose"
            and following.indent in indents
            and _is_full(line, following, width)
        )
        if is_joined:
            yield line.start + len(line.content), following.start + following.indent
        else:
            indents = ()


def _indents_of_continuation(line: _Line) -> tuple[int, ...]:
    if line.kind == "item":
        return (0, line.indent)
    return (line.indent,) if line.kind == "prose" and line.indent < _CODE_INDENT else ()


def _is_full(line: _Line, following: _Line, width: int) -> bool:
    word = _FIRST_WORD.search(following.content)
    needed = len(line.content) + 1 + (len(word.group()) if word else 0)
    return len(line.content) <= _MAX_WIDTH and needed > _MIN_FILL * width


def _lines(text: str) -> Iterator[_Line]:
    is_fenced = False
    for match in _LINE.finditer(text):
        content = match.group().rstrip()
        if _FENCE.match(content):
            is_fenced = not is_fenced
        yield _Line(
            content=content, start=match.start(), kind="fixed" if is_fenced else _kind(content)
        )


def _kind(content: str) -> Literal["prose", "item", "fixed"]:
    if not content or _RULE.fullmatch(content) or _FENCE.match(content):
        return "fixed"
    if _QUOTATION_OR_HEADING.match(content) or _CODE.search(content):
        return "fixed"
    return "item" if LIST_MARKER.match(content) else "prose"
