"""What holds for any file that another program has written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

from service.documents.errors import DocumentError
from service.documents.formats import CONVERTED, read_document
from tests.service.documents.readers.office.capitals import CLOSE, OPEN, translated


def outcome_of(name: str, data: bytes) -> tuple[str, str]:
    """What becomes of a document, and why: `kept`, `nothing to translate`, `refused`, `differs`."""
    try:
        written = capitals_of(name, data)
    except DocumentError as error:
        return "refused", str(error)
    except AssertionError as error:
        return "differs", str(error)
    return ("nothing to translate", "") if written is None else ("kept", "")


def capitals_of(name: str, data: bytes) -> bytes | None:
    """The document in capitals between brackets, one pair for each string; None if it has none."""
    document = read_document(name, data)
    strings, suffix = document.strings, Path(name).suffix.lower()
    sources = _SOURCES.get(suffix)
    if suffix not in CONVERTED and sources is None:
        same = document.write([string.text for string in strings]) == data
        assert same, "its own strings give other bytes"
    if not any(any(map(str.isalpha, string.text)) for string in strings):
        return None
    given = [_capitals(string.text, string.format) for string in strings]
    written = document.write(given, "de")
    for mark in (OPEN, CLOSE):
        wanted = sum(text.count(mark) for text in given)
        assert _count(written, mark) == wanted, f"{_count(written, mark)} {mark}, not {wanted}"
    if sources is not None:
        assert sources(data) == sources(written), "other sources than before"
    return written


def _capitals(text: str, text_format: str) -> str:
    return translated(text, text_format) if any(map(str.isalpha, text)) else text


def _count(data: bytes, character: str) -> int:
    """How often a character stands in a file, in any encoding or escape that is used."""
    escaped = character.encode("unicode-escape")
    spellings = {escaped, escaped[:2] + escaped[2:].upper()}
    spellings |= {character.encode(name) for name in ("utf-8", "utf-16-le", "utf-16-be")}
    return sum(data.count(spelling) for spelling in spellings)


def _xliff_sources(data: bytes) -> list[str]:
    root = ElementTree.fromstring(data)
    return [
        ElementTree.tostring(element, encoding="unicode").strip()
        for element in root.iter()
        if element.tag.endswith("}source") or element.tag == "source"
    ]


def _gettext_sources(data: bytes) -> list[tuple[str, str | None]]:
    import polib

    return [(entry.msgid, entry.msgctxt) for entry in polib.pofile(data.decode("utf-8"))]


_SOURCES: Mapping[str, Callable[[bytes], object]] = {
    ".po": _gettext_sources,
    ".xlf": _xliff_sources,
    ".xliff": _xliff_sources,
}
"""Of formats with source and target: the sources as a library reads them."""
