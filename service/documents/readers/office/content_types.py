"""The entries of an Office Open XML file by their content types: names are free."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from service.documents.errors import DocumentError
from service.documents.packages.archive import Archive
from service.documents.packages.packed_document import FindSlots, PackedDocument
from service.documents.packages.slots import Slots
from service.documents.packages.xml_tree import XmlSource, parse_xml

_CONTENT_TYPES = "[Content_Types].xml"
_CORE = ("dc:title", "dc:subject", "dc:description", "cp:keywords")


def read_office(
    data: bytes, suffix: str, main: str, finders: Mapping[str, FindSlots]
) -> PackedDocument:
    """Parse an Office Open XML file.

    Args:
        data: The file.
        suffix: Of its name.
        main: The end of the content type that such a file has.
        finders: What changes in entries, by the end of their content type, in the order of reading.

    Raises:
        DocumentError: It is no such file, or beyond a limit.
    """
    archive = Archive(data, suffix)
    types = _types(archive)
    if not any(kind.endswith(main) for kind in types.values()):
        raise DocumentError(f"it is not a {suffix} file: no entry of it is a {main}")
    entries = {
        name: find
        for end, find in {**finders, "core-properties+xml": find_properties}.items()
        for name in sorted(types, key=_by_number)
        if types[name].endswith(end)
    }
    return PackedDocument(archive, entries)


def find_properties(source: XmlSource, slots: Slots) -> None:
    """Title, subject, keywords and language of a document."""
    for element in source.root.children:
        if element.name in _CORE:
            slots.add_text(element)
        elif element.name == "dc:language" and element.close_start > element.open_end:
            slots.add_language((element.open_end, element.close_start))


def _types(archive: Archive) -> dict[str, str]:
    """The content type of each entry that exists, in lower case."""
    source = parse_xml(archive.read(_CONTENT_TYPES), _CONTENT_TYPES)
    declared, by_suffix = {}, {}
    for element in source.root.children:
        kind = element.attributes.get("ContentType", "").lower()
        if element.name == "ct:Override":
            declared[element.attributes.get("PartName", "").lstrip("/").lower()] = kind
        elif element.name == "ct:Default":
            by_suffix[element.attributes.get("Extension", "").lower()] = kind
    found = {}
    for name in archive.names:
        suffix = PurePosixPath(name).suffix[1:].lower()
        found[name] = declared.get(name.lower(), by_suffix.get(suffix, ""))
    return {name: kind for name, kind in found.items() if not name.endswith("/")}


def _by_number(name: str) -> tuple[int, str]:
    """`slide2.xml` before `slide10.xml`."""
    return len(name), name
