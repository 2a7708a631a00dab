"""Splits sentences that are too long for the model, without losing a character."""

import re
import unicodedata
from collections.abc import Callable

from service.text.segmentation.segment import Segment

_SPACE = re.compile(r"\s+")
_CLAUSE_END = re.compile(r"[,;:)\]–—]\s+|[、，；：]\s*")  # noqa: RUF001
_JOINERS = "\u200c\u200d"
_MAX_CLUSTER = 16
"""Most characters of a letter with its combining marks."""


def split_to_fit(text: str, fits: Callable[[str], bool], *, guess: int) -> list[Segment]:
    """Splits `text` into segments that fit; joined they are `text`.

    Cuts behind clause punctuation in the second half of what fits, else at white space, else
    between two characters. `fits` is called a few times for each segment, with texts of about its
    size: the cost is linear in `text`.

    Args:
        text: Without white space at either end.
        fits: Whether a piece is short enough; shorter pieces then nearly always are, too.
        guess: Characters that probably fit, at least 1.

    Returns:
        Segments that fit, except for single characters that exceed the limit alone.
    """
    segments: list[Segment] = []
    start = 0
    while start < len(text):
        segment = _first_segment(text, start, fits, guess)
        segments.append(segment)
        guess = len(segment.text)
        start = segment.end + len(segment.separator)
    return segments


def _first_segment(text: str, start: int, fits: Callable[[str], bool], guess: int) -> Segment:
    end = start + _longest_fit(text, start, fits, guess)
    while True:
        cut = end if end == len(text) else _best_cut(text, start, end)
        content = text[start:cut].rstrip()
        # In rare cases a shorter piece has more tokens than a longer one that begins with it.
        if len(content) == 1 or fits(content):
            break
        end = start + max(1, len(content) // 2)
    space = _SPACE.match(text, start + len(content))
    return Segment(text=content, separator=space.group() if space else "", start=start)


def _longest_fit(text: str, start: int, fits: Callable[[str], bool], guess: int) -> int:
    """Length of the longest piece at `start` that fits, within a sixteenth; at least 1."""
    rest = len(text) - start
    short, long = 0, min(guess, rest)
    while fits(text[start : start + long]):
        if long == rest:
            return rest
        short, long = long, min(long + long // 2 + 1, rest)
    while long - short > 1 and long - short > short // 16:
        middle = (short + long) // 2
        if fits(text[start : start + middle]):
            short = middle
        else:
            long = middle
    return max(short, 1)


def _best_cut(text: str, start: int, end: int) -> int:
    """Where to cut at or before `end`, always behind `start`."""
    # One character beyond the end includes white space just behind what fits.
    clause = _last_end(_CLAUSE_END, text, (start + end) // 2, end + 1)
    space = clause or _last_end(_SPACE, text, start + 1, end + 1)
    return min(space, end) if space else _cluster_start(text, start, end)


def _last_end(pattern: re.Pattern[str], text: str, start: int, end: int) -> int:
    """End of the last match in `text[start:end]`; 0 if there is none."""
    last = 0
    for match in pattern.finditer(text, start, end):
        last = match.end()
    return last


def _cluster_start(text: str, start: int, end: int) -> int:
    """The last offset up to `end` that splits no letter from its marks and no emoji."""
    for cut in range(end, max(start, end - _MAX_CLUSTER), -1):
        if not _continues(text, cut):
            return cut
    return end


def _continues(text: str, position: int) -> bool:
    character, previous = text[position], text[position - 1]
    is_mark = unicodedata.category(character) in ("Mn", "Mc", "Me")
    return is_mark or character in _JOINERS or previous in _JOINERS
