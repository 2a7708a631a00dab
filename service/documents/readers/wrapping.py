"""Wraps a translation to the number of lines of its source, or to their width."""

import re
from bisect import bisect_left
from itertools import accumulate, pairwise
from unicodedata import east_asian_width

_WORD = re.compile(r"(?:<[^<>\s][^<>]*>|\{\\[^{}]*\}|\S)+")
"""A tag belongs to the word that it touches, including spaces in it."""


def joined(lines: list[str]) -> str:
    """Lines joined by spaces; ideographs are joined without."""
    parts = [lines[0]]
    last = lines[0][-1:]
    for line in lines[1:]:
        is_dense = last and line[:1] and _is_wide(last) and _is_wide(line[0])
        parts.append(line if is_dense else f" {line}")
        last = parts[-1][-1:]
    return "".join(parts)


def balanced(text: str, num_lines: int) -> list[str]:
    """At most `num_lines` lines of similar length, broken at white space."""
    words = _WORD.findall(text)
    num_lines = min(num_lines, len(words))
    if num_lines <= 1:
        return [text]
    ends = list(accumulate(len(word) + 1 for word in words))
    cuts = [0]
    for line in range(1, num_lines):
        cut = _nearest(ends, ends[-1] * line / num_lines)
        # Leave at least one word for this line and for each later one.
        cuts.append(min(max(cut, cuts[-1] + 1), len(words) - (num_lines - line)))
    cuts.append(len(words))
    return [" ".join(words[start:end]) for start, end in pairwise(cuts)]


def filled(text: str, width: int, may_begin_line: re.Pattern[str]) -> list[str]:
    """Lines of at most `width` characters, or one longer word.

    Args:
        text: One line.
        width: Maximum characters of a line.
        may_begin_line: Matches words that may begin a line.
    """
    lines: list[str] = []
    line: list[str] = []
    length = 0
    for word in _WORD.findall(text):
        if line and length + 1 + len(word) > width and may_begin_line.match(word):
            lines.append(" ".join(line))
            line, length = [], 0
        length += len(word) + (1 if line else 0)
        line.append(word)
    return [*lines, " ".join(line)] if line else [text]


def _nearest(ends: list[int], wanted: float) -> int:
    """The number of words whose length is closest to `wanted` characters."""
    index = bisect_left(ends, wanted)
    if index and wanted - ends[index - 1] <= ends[index] - wanted:
        return index
    return index + 1


def _is_wide(character: str) -> bool:
    return east_asian_width(character) in "WF" and not "\uac00" <= character <= "\ud7a3"
