"""The texts of a document as the libraries that everybody uses read them."""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias
from xml.etree import ElementTree
from zipfile import ZipFile

Untyped: TypeAlias = Any
"""What the libraries read: they ship no types."""
_SPACES = re.compile(r"\s+")
_NEW_RUNS = re.compile(r"\}(r|t|rPr|rFonts|lang|proofErr|noProof|lastRenderedPageBreak|s)\Z")
"""Elements that may be fewer or more, because adjacent runs are merged or tags moved."""


def docx_texts(data: bytes) -> Iterator[str]:
    from docx import Document
    from docx.text.paragraph import Paragraph

    document = Document(io.BytesIO(data))
    roots = [document.element]
    for section in document.sections:
        sides = [section.header, section.footer, section.first_page_header]
        roots += [side._element for side in sides if not side.is_linked_to_previous]
    roots += [comment._comment_elm for comment in document.comments]
    for root in roots:
        for element in root.iter("{*}p"):
            if element.tag.endswith("wordprocessingml/2006/main}p"):
                yield Paragraph(element, document).text
    yield document.core_properties.title


def pptx_texts(data: bytes) -> Iterator[str]:
    from pptx import Presentation
    from pptx.text.text import _Paragraph

    deck = Presentation(io.BytesIO(data))
    for slide in deck.slides:
        parts = [slide] + ([slide.notes_slide] if slide.has_notes_slide else [])
        for part in parts:
            for element in part.element.iter("{*}p"):
                if element.tag.endswith("drawingml/2006/main}p"):
                    yield _Paragraph(element, None).text
            for element in part.element.iter("{*}cNvPr"):
                yield element.get("descr", "")
        for shape in slide.shapes:
            if shape.has_chart and shape.chart.has_title:
                yield shape.chart.chart_title.text_frame.text


def xlsx_texts(data: bytes) -> Iterator[str]:
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(data))
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "s":
                    yield str(cell.value)
                if cell.comment:
                    yield cell.comment.text
    yield book.properties.title or ""


def opendocument_texts(data: bytes) -> Iterator[str]:
    from odf.opendocument import load
    from odf.teletype import extractText
    from odf.text import H, P

    document = load(io.BytesIO(data))
    for kind in (P, H):
        for element in document.getElementsByType(kind):
            if _value_type(element.parentNode) in (None, "string"):
                yield _own_text(element, extractText)


def _value_type(element: Untyped) -> str | None:
    from odf.namespaces import OFFICENS

    value: str | None = element.attributes.get((OFFICENS, "value-type"))
    return value


def _own_text(element: Untyped, extract: Callable[[Untyped], str]) -> str:
    """Without the paragraphs of notes and frames within it, which come by themselves."""
    texts = []
    for child in element.childNodes:
        if child.nodeType == child.TEXT_NODE:
            texts.append(child.data)
        elif child.tagName in ("text:note", "draw:frame", "office:annotation", "draw:custom-shape"):
            continue
        elif child.tagName in ("text:span", "text:a"):
            texts.append(_own_text(child, extract))
        elif child.tagName in ("text:s", "text:tab", "text:line-break"):
            texts.append(" ")
        else:
            texts.append(extract(child))
    return "".join(texts)


_BLOCKS = ("h1", "h2", "h3", "li", "p", "td", "th", "caption", "title", "pre", "figcaption")


def epub_texts(data: bytes) -> Iterator[str]:
    import ebooklib
    from ebooklib import epub
    from lxml import etree

    book = epub.read_epub(io.BytesIO(data))
    yield book.title
    for item in book.get_items_of_type(ebooklib.ITEM_DOCUMENT):
        root = etree.fromstring(item.content)
        for element in root.iter("{*}*"):
            if etree.QName(element).localname in _BLOCKS and not any(
                etree.QName(below).localname in (*_BLOCKS, "ol", "ul")
                for below in element.iterdescendants("{*}*")
            ):
                yield "".join(element.itertext())


TEXTS: Mapping[str, Callable[[bytes], Iterator[str]]] = {
    ".docx": docx_texts,
    ".pptx": pptx_texts,
    ".xlsx": xlsx_texts,
    ".odt": opendocument_texts,
    ".odp": opendocument_texts,
    ".ods": opendocument_texts,
    ".epub": epub_texts,
}


def texts_of(suffix: str, data: bytes) -> list[str]:
    """The texts that have letters, with single spaces."""
    texts = (_SPACES.sub(" ", text).strip() for text in TEXTS[suffix](data))
    return [text for text in texts if any(map(str.isalpha, text))]


def structure_of(data: bytes) -> dict[str, Counter[str]]:
    """How many elements of each name there are in each entry; none for what is no XML."""
    counts = {}
    with ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            content = archive.read(info)
            counts[f"{info.filename} {info.compress_type} {info.date_time}"] = _elements(content)
    return counts


def _elements(content: bytes) -> Counter[str]:
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError:
        return Counter({content.hex(): 1})
    counts: Counter[str] = Counter()
    stack = [root]
    while stack:
        element = stack.pop()
        if not element.tag.endswith("}rPr"):
            counts[element.tag] += not _NEW_RUNS.search(element.tag)
            stack += element
    return +counts
