r"""The words of a sentence, with their combining marks, which `\w` leaves out."""

import re
import unicodedata

_TOKEN = re.compile(r"\w+|[^\w\s]")
_MARKS = ("Mn", "Mc", "Me")
_MAYBE_MARK = r"[^\0-\u02ff\u2000-\u206f\w\s]"
"""Marks are not in the blocks of Latin and of its punctuation, which are passed over quickly."""
_MAYBE_MARKS = re.compile(rf"{_MAYBE_MARK}(?<=\w.){_MAYBE_MARK}*+")
"""A run behind a letter."""


def word_spans(text: str) -> list[tuple[int, int]]:
    """Offsets of the words and of the punctuation marks, each of them one; the cost is linear.

    Marks behind a letter belong to its word: `कमी` and a decomposed `café` are one each.
    """
    return [token.span() for token in _TOKEN.finditer(with_letters(text))]


def find_words(text: str) -> list[str]:
    """The texts at `word_spans`."""
    return [text[start:end] for start, end in word_spans(text)]


def with_letters(text: str) -> str:
    """`text` with a letter for each combining mark that stands behind one; same length."""
    return text if text.isascii() else _MAYBE_MARKS.sub(_letters, text)


def _letters(match: re.Match[str]) -> str:
    found = match.group()
    num_marks = next(
        (at for at, c in enumerate(found) if unicodedata.category(c) not in _MARKS), len(found)
    )
    return "x" * num_marks + found[num_marks:]
