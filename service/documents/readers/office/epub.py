"""`.epub`: the chapters of a book, its navigation and what it says about itself."""

from collections.abc import Iterator
from posixpath import dirname, join, normpath
from urllib.parse import unquote

from service.documents.errors import DocumentError
from service.documents.packages.archive import Archive
from service.documents.packages.packed_document import FindSlots, PackedDocument
from service.documents.packages.slots import Slots
from service.documents.packages.xml_tree import Element, XmlSource, parse_xml
from service.documents.readers.office.xhtml import find_page

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGE = "application/xhtml+xml"
_NCX = "application/x-dtbncx+xml"
_META = ("dc:title", "dc:description", "dc:subject")


def read(data: bytes) -> PackedDocument:
    """Parse an e-book.

    Raises:
        DocumentError: It is no EPUB, or beyond a limit.
    """
    archive = Archive(data, ".epub")
    container = parse_xml(archive.read(_CONTAINER), _CONTAINER).root
    root_file = next(container.iter("container:rootfile"), None)
    if root_file is None:
        raise DocumentError(f"it is not a .epub file: its {_CONTAINER} names no book")
    package = unquote(root_file.attributes.get("full-path", ""))
    entries: dict[str, FindSlots] = {}
    for name, kind in _items(archive, package):
        if name in archive:
            entries[name] = _find_navigation if kind == _NCX else find_page
    _check_readable(archive, entries)
    return PackedDocument(archive, {package: _find_meta, **entries})


def _items(archive: Archive, package: str) -> Iterator[tuple[str, str]]:
    """Name and type of pages and navigation: first in the order of reading, then the others."""
    root = parse_xml(archive.read(package), package).root
    items = {item.attributes.get("id", ""): item for item in root.iter("opf:item")}
    order = [each.attributes.get("idref", "") for each in root.iter("opf:itemref")]
    for identifier in dict.fromkeys([*order, *items]):
        attributes = items[identifier].attributes if identifier in items else {}
        kind = attributes.get("media-type", "")
        if kind in (_PAGE, _NCX):
            path = unquote(attributes.get("href", "").partition("#")[0])
            yield normpath(join(dirname(package), path)), kind


def _check_readable(archive: Archive, entries: dict[str, FindSlots]) -> None:
    """Refuses a book whose pages are encrypted; fonts often are."""
    if _ENCRYPTION not in archive:
        return
    root = parse_xml(archive.read(_ENCRYPTION), _ENCRYPTION).root
    for data in _all(root):
        if unquote(data.attributes.get("URI", "")) in entries:
            raise DocumentError("it is protected against reading: save it without protection")


def _all(root: Element) -> Iterator[Element]:
    stack = [root]
    while stack:
        element = stack.pop()
        yield element
        stack += element.children


def _find_meta(source: XmlSource, slots: Slots) -> None:
    for element in source.root.iter(*_META, "dc:language"):
        if element.name in _META:
            slots.add_text(element)
        elif element.close_start > element.open_end:
            slots.add_language((element.open_end, element.close_start))
    _add_language(source, slots)


def _find_navigation(source: XmlSource, slots: Slots) -> None:
    for text in source.root.iter("ncx:text"):
        slots.add_text(text)
    _add_language(source, slots)


def _add_language(source: XmlSource, slots: Slots) -> None:
    spans = source.attribute_spans(source.root)
    if "xml:lang" in spans:
        slots.add_language(spans["xml:lang"])
