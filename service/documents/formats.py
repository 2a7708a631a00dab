"""Which kinds of files can be translated."""

from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import MappingProxyType

from service.documents.document import Document
from service.documents.errors import DocumentError
from service.documents.readers import (
    gettext,
    json_values,
    markdown,
    plain_text,
    subtitles,
    web_page,
)

FORMATS: Mapping[str, Callable[[bytes], Document]] = MappingProxyType(
    {
        ".txt": plain_text.read,
        ".html": web_page.read,
        ".htm": web_page.read,
        ".srt": subtitles.read,
        ".po": gettext.read,
        ".md": markdown.read,
        ".json": json_values.read,
    }
)
"""What reads a file, by the end of its name."""


def read_document(name: str, data: bytes) -> Document:
    """Read a file.

    Args:
        name: The file's name; its end says what it is.
        data: Its content.

    Raises:
        DocumentError: It is of another kind, or not what its name says.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in FORMATS:
        raise DocumentError(f"file format not supported: send one of {', '.join(FORMATS)}")
    return FORMATS[suffix](data)
