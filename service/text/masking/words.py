r"""The words of a sentence, with their marks and joiners, which `\w` leaves out."""

import re
import unicodedata

_TOKEN = re.compile(r"\w+|[^\w\s]")
_MARKS = ("Mn", "Mc", "Me")
_JOINERS = "\u200c\u200d"
"""Say within a word of Persian or Hindi how its letters are joined."""
_MAYBE_MARK = r"[^\0-\u02ff\u2000-\u200b\u200e-\u206f\w\s]"
"""Marks are not in the blocks of Latin and of its punctuation, which are passed over quickly."""
_MAYBE_MARKS = re.compile(rf"{_MAYBE_MARK}(?<=\w.){_MAYBE_MARK}*+")
"""A run behind a letter."""


def word_spans(text: str) -> list[tuple[int, int]]:
    """Offsets of the words and of the punctuation marks, each of them one; the cost is linear.

    Marks behind a letter belong to its word, and joiners between two: `कमी` and a decomposed
    `café` are one each.
    """
    return [token.span() for token in _TOKEN.finditer(with_letters(text))]


def find_words(text: str) -> list[str]:
    """The texts at `word_spans`."""
    return [text[start:end] for start, end in word_spans(text)]


def with_letters(text: str) -> str:
    """`text` with a letter for each combining mark and joiner within a word; same length."""
    return text if text.isascii() else _MAYBE_MARKS.sub(_letters, text)


def _letters(match: re.Match[str]) -> str:
    found, following = match.group(), match.string[match.end() : match.end() + 1]
    num = next((at for at, c in enumerate(found) if not _is_of_word(c)), len(found))
    if num < len(found) or not following.isalnum():
        num = len(found[:num].rstrip(_JOINERS))
    return "x" * num + found[num:]


def _is_of_word(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) in _MARKS
