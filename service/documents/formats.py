"""The supported file formats."""

from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import MappingProxyType

from service.documents.document import ParsedFile
from service.documents.errors import DocumentError
from service.documents.readers import (
    delimited,
    gettext,
    json_values,
    markdown,
    plain_text,
    subtitles,
    web_page,
    webvtt,
    yaml_values,
)
from service.documents.readers.catalogs import apple_strings, properties, xliff
from service.documents.readers.office import docx, epub, opendocument, pptx, xlsx

FORMATS: Mapping[str, Callable[[bytes], ParsedFile]] = MappingProxyType(
    {
        ".txt": plain_text.read,
        ".html": web_page.read,
        ".htm": web_page.read,
        ".srt": subtitles.read,
        ".vtt": webvtt.read,
        ".po": gettext.read,
        ".md": markdown.read,
        ".json": json_values.read,
        ".yaml": yaml_values.read,
        ".yml": yaml_values.read,
        ".csv": delimited.read_csv,
        ".tsv": delimited.read_tsv,
        ".properties": properties.read,
        ".strings": apple_strings.read,
        ".xliff": xliff.read,
        ".xlf": xliff.read,
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


_TABLES: Mapping[str, Callable[[bytes, str], ParsedFile]] = MappingProxyType(
    {".csv": delimited.read_csv, ".tsv": delimited.read_tsv}
)


def read_document(name: str, data: bytes, columns: str = "") -> ParsedFile:
    """Parse a file.

    Args:
        name: File name; its suffix determines the format.
        data: Content of the file.
        columns: Of a table, to translate: names or numbers, with commas between; empty: all.

    Raises:
        DocumentError: The format is not supported, the content does not match the name, or there
            are no such columns.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in FORMATS:
        raise DocumentError(f"file format not supported: send one of {', '.join(FORMATS)}")
    if suffix in _TABLES:
        return _TABLES[suffix](data, columns)
    if columns.strip():
        raise DocumentError(f"columns are for {' and '.join(_TABLES)}: omit them")
    return FORMATS[suffix](data)
