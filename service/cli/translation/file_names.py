"""Names of documents: what is read where the suffix says nothing, and what may be written."""

import re
import sys
from pathlib import Path

from service.documents.document import ParsedFile
from service.documents.encoding import decode
from service.documents.errors import DocumentError
from service.documents.formats import FORMATS, read_document, translated_suffix

_PLAIN = ".txt"
_PLAIN_NAME = f"a{_PLAIN}"
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")
"""Characters that no text has: all controls but those of layout and of colours."""


def read_file(path: Path, data: bytes, columns: str) -> ParsedFile:
    """Parse a file; one whose suffix is unknown is plain text, if it is text.

    Raises:
        DocumentError: The content does not match the name, or is not text.
    """
    if _suffix(path) in FORMATS:
        return read_document(path.name, data, columns)
    if not _is_text(data):
        raise DocumentError(f"file format not supported: give one of {', '.join(FORMATS)}, or text")
    sys.stderr.write(f"{path}: no known format, translated as plain text\n")
    return read_document(_PLAIN_NAME, data, columns)


def check_suffix(source: Path, output: Path) -> None:
    """Refuses an output whose suffix stands for another format than the file has.

    Raises:
        DocumentError: It does; says which suffixes fit.
    """
    plain = FORMATS[_PLAIN]
    reader = FORMATS.get(translated_suffix(source.suffix), plain)
    # A text may have any name that is not another format's.
    of_unknown = reader if reader is plain or not output.suffix else None
    if FORMATS.get(_suffix(output), of_unknown) is not reader:
        fitting = " or ".join(suffix for suffix, each in FORMATS.items() if each is reader)
        raise DocumentError(f"{output.name} does not fit the format: let the name end in {fitting}")


def _suffix(path: Path) -> str:
    return path.suffix.lower()


def _is_text(data: bytes) -> bool:
    try:
        text, _ = decode(data)
    except DocumentError:
        return False
    return _CONTROLS.search(text) is None
