"""Long strings of a document in pieces, so that one costs no more than a text of a request."""

import re

from service.documents.document import DocumentString
from service.documents.errors import DocumentError

MAX_PIECE_CHARS = 8_000
"""A longer text is cut, behind a sentence where it can be."""
MAX_PASSAGE_CHARS = 30_000
"""Without its tags. Markup is not cut: a tag and its end would be parted."""
MAX_PASSAGE_TAGS = 3_000
_SENTENCE_ENDS = ("\n", ". ", "! ", "? ", "。", "！", "？")  # noqa: RUF001
_TAG = re.compile(r"<[^<>]*>")


def pieces_of(string: DocumentString) -> list[str]:
    """The texts to translate for a string; joined they are its text.

    Raises:
        DocumentError: It is markup and too long.
    """
    if string.format == "html":
        _check_passage(string.text)
        return [string.text]
    pieces, start = [], 0
    while len(string.text) - start > MAX_PIECE_CHARS:
        end = _end_of_piece(string.text, start)
        pieces.append(string.text[start:end])
        start = end
    return [*pieces, string.text[start:]]


def _end_of_piece(text: str, start: int) -> int:
    """Where a piece ends: behind a sentence, a word, or where it is full."""
    middle, end = start + MAX_PIECE_CHARS // 2, start + MAX_PIECE_CHARS
    found = max(text.rfind(mark, middle, end) + len(mark) for mark in _SENTENCE_ENDS)
    if found <= middle:
        found = text.rfind(" ", middle, end) + 1
    return found if found > middle else end


def _check_passage(text: str) -> None:
    if len(text) <= MAX_PASSAGE_TAGS:
        return
    without_tags, num_tags = _TAG.subn("", text)
    if len(without_tags) > MAX_PASSAGE_CHARS or num_tags > MAX_PASSAGE_TAGS:
        raise DocumentError(
            f"a passage has {len(without_tags)} characters and {num_tags} tags; the limits are "
            f"{MAX_PASSAGE_CHARS} and {MAX_PASSAGE_TAGS}: divide it into paragraphs"
        )
