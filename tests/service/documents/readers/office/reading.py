"""Reads and writes the smallest documents with some content."""

from collections.abc import Sequence

from service.documents.formats import read_document
from tests.service.documents.readers.office.archives import MAIN, body, document, unzipped


def strings_of(suffix: str, content: str) -> list[str]:
    """What is translated of a document."""
    return [s.text for s in read_document(f"a{suffix}", document(suffix, content)).strings]


def written(suffix: str, content: str, translations: Sequence[str], language: str = "") -> str:
    """The content of a document with these translations."""
    data = read_document(f"a{suffix}", document(suffix, content)).write(translations, language)
    before, behind = body(suffix, "\0").split("\0")
    main = unzipped(data, MAIN[suffix])
    assert main.startswith(before)
    assert main.endswith(behind)
    return main[len(before) : len(main) - len(behind)]
