"""Splits a text into sentences, line by line; joined they are the text."""

import re
from collections.abc import Iterator
from typing import Literal

from service.text.segmentation.segment import Segment
from service.text.segmentation.sentence_ends import sentence_starts

SplitMode = Literal["sentences", "paragraphs", "none"]
"""Split at sentence and line boundaries, at line boundaries only, or not at all."""

_SPACE = re.compile(r"\s+")
_BREAK = re.compile(r"[\t\n\r\v\f\x1c-\x1f\x85\u2028\u2029]")
"""Ends of lines and of cells: models would lose a tab within a sentence."""


def split(text: str, language: str = "en", *, mode: SplitMode = "sentences") -> list[Segment]:
    """Splits `text` into segments; `join(split(text)) == text`.

    White space at the beginning becomes the separator of an empty segment. In doubt two sentences
    stay together.

    Args:
        text: Any text.
        language: Of the text; abbreviations and number formats depend on it.
        mode: `none` gives one segment, which may contain line breaks; otherwise a line break or a
            tab always ends a segment.
    """
    cuts = _cuts(text, language, mode)
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    contents = [piece.rstrip() for piece in pieces]
    return [
        Segment(text=content, separator=piece[len(content) :], start=start)
        for piece, content, start in zip(pieces, contents, [0, *cuts], strict=True)
        if piece
    ]


def _cuts(text: str, language: str, mode: SplitMode) -> list[int]:
    """Offsets at which a new segment begins, ascending, without 0."""
    leading = _SPACE.match(text)
    position = leading.end() if leading else 0
    cuts = [position] if position else []
    if mode == "none":
        return cuts
    for start, end, next_start in list(_lines(text, position)):
        if mode == "sentences":
            cuts += [start + offset for offset in sentence_starts(text[start:end], language)]
        cuts.append(next_start)
    return cuts


def _lines(text: str, position: int) -> Iterator[tuple[int, int, int]]:
    """Start and end of every line that is not blank, and the start of the next one."""
    if not _BREAK.search(text, position):  # most texts, word by word in vain
        if position < len(text):
            yield position, len(text.rstrip()), len(text)
        return
    start = position
    for space in _SPACE.finditer(text, position):
        if space.end() == len(text):
            yield start, space.start(), space.end()
            return
        if _BREAK.search(space.group()):
            yield start, space.start(), space.end()
            start = space.end()
    if start < len(text):
        yield start, len(text), len(text)
