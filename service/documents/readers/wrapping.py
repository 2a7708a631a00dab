"""Puts a translation on as many lines as its source had, or on lines no longer than its lines."""

import re
from bisect import bisect_left
from itertools import accumulate, pairwise
from unicodedata import east_asian_width

_WORD = re.compile(r"(?:<[^<>\s][^<>]*>|\S)+")
"""A tag is part of the word that it touches, with the spaces between its attributes."""


def joined(lines: list[str]) -> str:
    """One line of several; between ideographs there is no space."""
    text = lines[0]
    for line in lines[1:]:
        is_dense = text[-1:] and line[:1] and _is_wide(text[-1]) and _is_wide(line[0])
        text += line if is_dense else f" {line}"
    return text


def balanced(text: str, num_lines: int) -> list[str]:
    """At most `num_lines` lines of about the same length, broken at white space."""
    words = _WORD.findall(text)
    num_lines = min(num_lines, len(words))
    if num_lines <= 1:
        return [text]
    ends = list(accumulate(len(word) + 1 for word in words))
    cuts = [0]
    for line in range(1, num_lines):
        cut = _nearest(ends, ends[-1] * line / num_lines)
        # Each line has a word, those still to come as well.
        cuts.append(min(max(cut, cuts[-1] + 1), len(words) - (num_lines - line)))
    cuts.append(len(words))
    return [" ".join(words[start:end]) for start, end in pairwise(cuts)]


def filled(text: str, width: int, may_begin_line: re.Pattern[str]) -> list[str]:
    """Lines of at most `width` characters, longer only where a word is.

    Args:
        text: On one line.
        width: Characters.
        may_begin_line: Matches words that may stand at the beginning of a line.
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
    """How many words come closest to `wanted` characters."""
    index = bisect_left(ends, wanted)
    if index and wanted - ends[index - 1] <= ends[index] - wanted:
        return index
    return index + 1


def _is_wide(character: str) -> bool:
    return east_asian_width(character) in "WF" and not "\uac00" <= character <= "\ud7a3"
