"""`.html`: the text between block elements; all markup is kept."""

from collections.abc import Iterator
from dataclasses import replace

from service.documents.document import Document, DocumentString
from service.documents.encoding import decode
from service.text.markup.document import read_markup, write_markup
from service.text.markup.passage import MarkupOptions


def read(data: bytes) -> Document:
    """Parse an HTML file.

    Raises:
        DocumentError: The file is not text.
    """
    text, encoding = decode(data, may_declare=True)
    return Document(parts=tuple(_parts(text)), encoding=replace(encoding, has_references=True))


def _parts(text: str) -> Iterator[str | DocumentString]:
    """Each passage as HTML, with its inline tags and entities."""
    for part in read_markup(text, MarkupOptions(kind="html")):
        if isinstance(part, str):
            yield part
        else:
            passage = write_markup([part])
            yield DocumentString(text=passage, original=passage, format="html")
