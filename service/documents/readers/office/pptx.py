"""`.pptx`: slides and their notes, comments, charts and diagrams."""

from collections.abc import Mapping

from service.documents.packages.packed_document import FindSlots, PackedDocument
from service.documents.packages.slots import Slots
from service.documents.packages.xml_tree import Element, XmlSource
from service.documents.readers.office.content_types import read_office
from service.documents.readers.office.drawing import add_languages, find_below, find_drawing


def read(data: bytes) -> PackedDocument:
    """Parse a PowerPoint file.

    Raises:
        DocumentError: It is no such file, or beyond a limit.
    """
    return read_office(data, ".pptx", "presentationml.presentation.main+xml", _FINDERS)


def _find_on_master(source: XmlSource, slots: Slots) -> None:
    """What is seen on slides; the text of a placeholder is not."""
    for shape in source.root.iter("p:sp", "p:graphicFrame", "p:pic"):
        if not _is_placeholder(shape):
            find_below(source, shape, slots)


def _is_placeholder(shape: Element) -> bool:
    return next(shape.iter("p:ph"), None) is not None


def _find_default_language(source: XmlSource, slots: Slots) -> None:
    """Of text that names none, as that of python-pptx and pandoc."""
    for style in source.root.iter("p:defaultTextStyle"):
        add_languages(source, style, slots)


def _find_comments(source: XmlSource, slots: Slots) -> None:
    for text in source.root.iter("p:text"):
        slots.add_text(text)


_FINDERS: Mapping[str, FindSlots] = {
    "presentationml.slide+xml": find_drawing,
    "presentationml.notesslide+xml": find_drawing,
    "presentationml.slidelayout+xml": _find_on_master,
    "presentationml.slidemaster+xml": _find_on_master,
    "presentationml.presentation.main+xml": _find_default_language,
    "presentationml.comments+xml": _find_comments,
    "ms-powerpoint.comments+xml": find_drawing,
    "drawingml.chart+xml": find_drawing,
    "drawingml.diagramdata+xml": find_drawing,
    "drawingml.diagramdrawing+xml": find_drawing,
}
