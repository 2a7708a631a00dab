"""The supported file formats."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
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
from service.documents.readers.pdf import reader as pdf

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
        ".pdf": pdf.read,
    }
)
"""Readers by file name suffix."""
WITHOUT_LINES = frozenset({".docx", ".pptx", ".xlsx", ".odt", ".odp", ".ods", ".epub", ".pdf"})
"""Suffixes of archives, which have no lines of text."""
CONVERTED: Mapping[str, str] = MappingProxyType({".pdf": ".html"})
"""Suffixes of translations that are not of the format of their source."""
LAYOUT_NOTE = (
    "the layout is not kept: the translation is a web page with a section for each page, of "
    "paragraphs, headings, lists, links and images; it leaves out what is beyond 500 images, "
    "16 MiB or twice the file of them, or 8 million pixels"
)
"""Told with each translation that is converted."""
_LIBRARIES: Mapping[str, str] = {".pdf": "pypdfium2", ".yaml": "yaml", ".yml": "yaml"}
"""Packages of the extra `documents`, by the formats that need them."""


_TABLES: Mapping[str, Callable[[bytes, str], ParsedFile]] = MappingProxyType(
    {".csv": delimited.read_csv, ".tsv": delimited.read_tsv}
)


def readable_formats() -> list[str]:
    """The suffixes of what can be read here: libraries of some formats may not be installed."""
    return [
        suffix
        for suffix in FORMATS
        if suffix not in _LIBRARIES or find_spec(_LIBRARIES[suffix]) is not None
    ]


def has_compiled_reader(name: str) -> bool:
    """Whether a library reads such a file that ends its process where memory is short."""
    return PurePath(name).suffix.lower() in _LIBRARIES


def translated_suffix(suffix: str) -> str:
    """The suffix of a translated file, by that of its source."""
    return CONVERTED.get(suffix.lower(), suffix.lower())


def note_on(suffix: str) -> str | None:
    """What a client should know of the translation of such a file."""
    return LAYOUT_NOTE if suffix in CONVERTED else None


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
