"""`.txt`: one string per paragraph."""

import re
from collections.abc import Iterator

from service.documents.document import Document, DocumentString
from service.documents.encoding import decode

_MAX_PARAGRAPH = 4_000
"""Characters; a longer paragraph is cut at a line break, so that long files are translated in
parts."""
_LINE_END = re.compile(r"\r\n|\r|\n")


def read(data: bytes) -> Document:
    """Parse a text file.

    Raises:
        DocumentError: The file is not text.
    """
    text, encoding = decode(data)
    return Document(parts=tuple(_parts(text)), encoding=encoding)


def _parts(text: str) -> Iterator[str | DocumentString]:
    for paragraph in _paragraphs(text):
        content = paragraph.strip()
        start = paragraph.index(content)
        yield paragraph[:start]
        if content:
            yield DocumentString(text=content, original=content)
        yield paragraph[start + len(content) :]


def _paragraphs(text: str) -> Iterator[str]:
    """Parts that end with a blank line, or that have reached the maximum length."""
    begin = line_start = 0
    for line_end in _LINE_END.finditer(text):
        is_blank = not text[line_start : line_end.start()].strip()
        line_start = line_end.end()
        if is_blank or line_start - begin > _MAX_PARAGRAPH:
            yield text[begin:line_start]
            begin = line_start
    yield text[begin:]
