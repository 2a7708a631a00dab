"""`.docx`: paragraphs of text, headers, footers, notes and comments, with their runs."""

from collections.abc import Mapping

from service.documents.packages.packed_document import FindSlots, PackedDocument
from service.documents.packages.passages import add_passage
from service.documents.packages.slots import Slots
from service.documents.packages.xml_tree import Element, XmlSource
from service.documents.readers.office.content_types import read_office
from service.documents.readers.office.drawing import find_below, find_drawing
from service.documents.readers.office.languages import Script, language_for
from service.documents.readers.office.word_runs import pieces_of

_LANGUAGES: Mapping[str, Script] = {"w:val": "latin", "w:eastAsia": "asian", "w:bidi": "complex"}


def read(data: bytes) -> PackedDocument:
    """Parse a Word file.

    Raises:
        DocumentError: It is no such file, or beyond a limit.
    """
    return read_office(data, ".docx", "wordprocessingml.document.main+xml", _FINDERS)


def _find_text(source: XmlSource, slots: Slots) -> None:
    stack = [source.root]
    while stack:
        element = stack.pop()
        if element.name in ("w:lang", "w:themeFontLang"):
            _add_languages(source, element, slots)
        elif element.name == "a:p":  # a drawing without a text box of Word
            find_below(source, Element(name="", start=0, open_end=0, children=[element]), slots)
            continue
        elif element.name.rpartition(":")[2] in ("docPr", "cNvPr"):
            slots.add_attributes(element, "descr", "title")
        elif element.name.endswith(":shape"):  # of VML, in files of old programs
            slots.add_attributes(element, "alt")
        elif element.name == "w:tblPr":
            _add_captions(element, slots)
        if element.name == "w:p":
            add_passage(slots, pieces_of(source, element))
        stack += reversed(element.children)


def _find_languages(source: XmlSource, slots: Slots) -> None:
    for element in source.root.iter("w:lang", "w:themeFontLang"):
        _add_languages(source, element, slots)


def _add_languages(source: XmlSource, element: Element, slots: Slots) -> None:
    for name, span in source.attribute_spans(element).items():
        if name in _LANGUAGES:
            slots.add_language(span, language_for(_LANGUAGES[name]))


def _add_captions(properties: Element, slots: Slots) -> None:
    """The alternative text of a table."""
    for child in properties.children:
        if child.name in ("w:tblCaption", "w:tblDescription"):
            slots.add_attributes(child, "w:val")


_FINDERS: Mapping[str, FindSlots] = {
    "wordprocessingml.document.main+xml": _find_text,
    "wordprocessingml.header+xml": _find_text,
    "wordprocessingml.footer+xml": _find_text,
    "wordprocessingml.footnotes+xml": _find_text,
    "wordprocessingml.endnotes+xml": _find_text,
    "wordprocessingml.comments+xml": _find_text,
    "drawingml.chart+xml": find_drawing,
    "drawingml.diagramdata+xml": find_drawing,
    "drawingml.diagramdrawing+xml": find_drawing,
    "ms-office.drawingml.diagramdrawing+xml": find_drawing,
    "wordprocessingml.styles+xml": _find_languages,
    "wordprocessingml.settings+xml": _find_languages,
}
