"""The supported file formats."""

from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import MappingProxyType

from service.documents.document import ParsedFile
from service.documents.errors import DocumentError
from service.documents.readers import (
    gettext,
    json_values,
    markdown,
    plain_text,
    subtitles,
    web_page,
)
from service.documents.readers.office import docx, epub, opendocument, pptx, xlsx

FORMATS: Mapping[str, Callable[[bytes], ParsedFile]] = MappingProxyType(
    {
        ".txt": plain_text.read,
        ".html": web_page.read,
        ".htm": web_page.read,
        ".srt": subtitles.read,
        ".po": gettext.read,
        ".md": markdown.read,
        ".json": json_values.read,
        ".docx": docx.read,
        ".pptx": pptx.read,
        ".xlsx": xlsx.read,
        ".odt": opendocument.read("text"),
        ".odp": opendocument.read("presentation"),
        ".ods": opendocument.read("spreadsheet"),
        ".epub": epub.read,
    }
)
"""Readers by file name suffix."""


def read_document(name: str, data: bytes) -> ParsedFile:
    """Parse a file.

    Args:
        name: File name; its suffix determines the format.
        data: Content of the file.

    Raises:
        DocumentError: The format is not supported, or the content does not match the name.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in FORMATS:
        raise DocumentError(f"file format not supported: send one of {', '.join(FORMATS)}")
    return FORMATS[suffix](data)
