"""Splits a text into sentences, line by line, so that joining them gives the text back."""

import re
from collections.abc import Iterator
from typing import Literal

from service.text.segment import Segment

SplitMode = Literal["sentences", "paragraphs", "none"]
"""Cut at the ends of sentences and lines, of lines only, or not at all."""

_ABBREVIATION = re.compile(
    "al|bzgl|bzw|ca|cf|co|dr|ed|eds|eg|evtl|gen|ggf|hr|ie|inc|inkl|jr|lt|ltd|mr|mrs|ms|mt|prof"
    "|rev|sen|sgt|sog|sr|st|str|vgl|vs|zb|zzgl",
    re.IGNORECASE,
)
_ABBREVIATION_BEFORE_NUMBER = re.compile(
    "abb|abs|art|bd|ch|figs?|kap|nos?|nr|op|pp|sec|tab|vols?", re.IGNORECASE
)
"""Words as well: `No. 5`, but `No. I do not.`"""

_SPACE = re.compile(r"\s+")
_LINE_BREAK = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_OPENING = "\"'([{<«»‹›„‚“‘”’¿¡「『（【《〈-–—*_#•"  # noqa: RUF001
_CLOSING = "\"')\\]}>»«›‹“”‘’」』）】》〉*_"  # noqa: RUF001
_END = re.compile(
    # Full-width marks end a sentence wherever they stand, the others only before white space.
    # The lookbehind keeps a long run of marks from being tried again from each of them.
    rf"(?:[。！？｡]++(?P<closed>[{_CLOSING}]*+)"  # noqa: RUF001
    rf"|(?<![.!?…])(?P<mark>[.!?…]++)[{_CLOSING}]*+(?=\s))(?P<space>\s*+)"
)
_LAST_WORD = re.compile(r"[^\W_][\w.]*\Z")
_MAX_WORD = 24
"""Characters looked back for the word before a full stop: longer ones are no abbreviation."""


def split(text: str) -> list[Segment]:
    """Cut `text` into sentences; `join(split(text)) == text`.

    A line break always ends a segment. White space at the very beginning becomes the separator
    of an empty segment. Prefers to leave two sentences together over cutting one in two.
    """
    cuts = [*_cuts(text), len(text)]
    bounds = zip([0, *cuts], cuts, strict=False)
    return [_segment(text, start, end) for start, end in bounds if start < end]


def _segment(text: str, start: int, end: int) -> Segment:
    content = text[start:end].rstrip()
    return Segment(text=content, separator=text[start + len(content) : end], start=start)


def _cuts(text: str) -> Iterator[int]:
    """Offsets at which a new segment begins, ascending, 0 left out."""
    leading = _SPACE.match(text)
    position = leading.end() if leading else 0
    if position:
        yield position
    for line_start, line_end, next_start in _lines(text, position):
        yield from _sentence_starts(text, line_start, line_end)
        yield next_start


def _lines(text: str, position: int) -> Iterator[tuple[int, int, int]]:
    """Start and end of every line that is not blank, and where the next one starts."""
    start = position
    for space in _SPACE.finditer(text, position):
        if space.end() == len(text):
            break
        if _LINE_BREAK.search(space.group()):
            yield start, space.start(), space.end()
            start = space.end()
    if start < len(text):
        yield start, len(text), len(text)


def _sentence_starts(text: str, start: int, end: int) -> Iterator[int]:
    for match in _END.finditer(text, start, end):
        ends = _ends_sentence if match["mark"] else _ends_wide_sentence
        if match.end() < end and ends(text, match):
            yield match.end()


def _ends_wide_sentence(text: str, match: re.Match[str]) -> bool:
    # What follows a closing quote without a space goes on: 「はい。」と言った。
    return not match["closed"] or bool(match["space"]) or text[match.end()] in _OPENING


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    following = _first_letter(text, match.end())
    if following.islower():
        return False
    if match["mark"] != ".":
        return True
    before = text[max(0, match.start() - _MAX_WORD) : match.start()]
    return not _is_abbreviated(before, following)


def _first_letter(text: str, position: int) -> str:
    """The character that a sentence at `position` begins with, opening quotes passed over."""
    for character in text[position : position + 8]:
        if character not in _OPENING and not character.isspace():
            return character
    return ""


def _is_abbreviated(before: str, following: str) -> bool:
    """Whether the full stop after `before` belongs to its last word."""
    match = _LAST_WORD.search(before)
    if match is None:
        return False
    word = match.group()
    if word.isdigit():
        return len(word) <= 2  # `3. Oktober`, and the number of a list item
    if "." in word:  # U.S., z.B.
        return all(len(part) == 1 for part in word.split("."))
    if len(word) == 1:  # J. Smith, z. B., but not `than I.`
        return word.isalpha() and word != "I"
    if following.isdigit() and _ABBREVIATION_BEFORE_NUMBER.fullmatch(word):
        return True
    return _ABBREVIATION.fullmatch(word) is not None
