"""`.xlsx`: the texts of cells, comments, headers, footers and drawings; no formulas.

Names of sheets and columns of tables stay: formulas refer to them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from service.documents.packages.archive import Archive
from service.documents.packages.packed_document import FindSlots, PackedDocument
from service.documents.packages.passages import Mark, Markup, Piece, Style, add_passage, tagged
from service.documents.packages.slots import Slots, is_translatable
from service.documents.packages.xml_tree import Element, XmlSource, escaped, parse_xml
from service.documents.readers.office.content_types import read_office
from service.documents.readers.office.drawing import find_drawing

_LINES = re.compile(r"((?<=\S)\r?\n(?=\S))")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_ESCAPED: Mapping[str, str] = {"0009": "\t", "000a": "\n", "000d": "\r"}
"""Layout that Excel escapes: in names of columns, and where a line ends as in Windows."""
_CODES = re.compile(r"""&(?:"[^"]*"|K[0-9A-Fa-f]{6}|K\d\d[+-]\d{3}|\d+|[A-Za-z&])""")
"""Formatting codes and fields in the header of a sheet."""
_MARKS: Mapping[str, Mark] = {
    **dict.fromkeys(("&L", "&C", "&R"), "br"),
    **dict.fromkeys(("&P", "&N", "&D", "&T", "&F", "&A", "&Z"), "code"),
}
_HEADERS = ("oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter")
_TABLE = re.compile(r"xl/tables/[^/]+\.xml\Z", re.IGNORECASE)


def read(data: bytes) -> PackedDocument:
    """Parse an Excel file.

    Raises:
        DocumentError: It is no such file, or beyond a limit.
    """
    kept = _columns_of_tables(Archive(data, ".xlsx"))

    def find_texts(source: XmlSource, slots: Slots) -> None:
        for text in source.root.iter("s:si", "s:is"):
            if "".join(_texts(source, text)) not in kept:
                add_passage(slots, [*_pieces(source, text)])

    def find_in_sheet(source: XmlSource, slots: Slots) -> None:
        find_texts(source, slots)
        for header in source.root.iter(*(f"s:{name}" for name in _HEADERS)):
            _add_header(source, header, slots)
        for validation in source.root.iter("s:dataValidation"):
            slots.add_attributes(validation, "promptTitle", "prompt", "errorTitle", "error")

    finders: Mapping[str, FindSlots] = {
        "spreadsheetml.sharedstrings+xml": find_texts,
        "spreadsheetml.worksheet+xml": find_in_sheet,
        "spreadsheetml.chartsheet+xml": find_in_sheet,
        "spreadsheetml.comments+xml": _find_comments,
        "ms-excel.threadedcomments+xml": _find_threaded,
        "officedocument.drawing+xml": find_drawing,
        "drawingml.chart+xml": find_drawing,
        "drawingml.diagramdata+xml": find_drawing,
        "drawingml.diagramdrawing+xml": find_drawing,
    }
    return read_office(data, ".xlsx", "spreadsheetml.sheet.main+xml", finders)


def _find_comments(source: XmlSource, slots: Slots) -> None:
    for text in source.root.iter("s:text"):
        add_passage(slots, [*_pieces(source, text)])


def _find_threaded(source: XmlSource, slots: Slots) -> None:
    for comment in source.root.children:
        for text in comment.children:
            if text.name.endswith(":text"):
                slots.add_text(text)


def _columns_of_tables(archive: Archive) -> frozenset[str]:
    """Names of columns: the cells above them must have the same text, and formulas name them."""
    names = set()
    for entry in archive.names:
        if _TABLE.match(entry):
            root = parse_xml(archive.read(entry), entry).root
            columns = root.iter("s:tableColumn")
            names |= {_unescaped(column.attributes.get("name", "")) for column in columns}
    return frozenset(names)


def _texts(source: XmlSource, element: Element) -> Iterator[str]:
    for child in element.children:
        if child.name == "s:t":
            yield _unescaped(source.text_of(child))
        elif child.name == "s:r":
            yield from _texts(source, child)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1].lower(), escape[0]), text)


def _pieces(source: XmlSource, element: Element) -> Iterator[Piece]:
    """The runs of a cell, or its text; guides to pronunciation stay behind them."""
    for child in element.children:
        if child.name == "s:t":
            yield from _lines(source, child, child, Style())
        elif child.name == "s:r" and (text := child.find("s:t")):
            properties = child.find("s:rPr")
            look = source.raw((properties.start, properties.end)) if properties else b""
            yield from _lines(source, child, text, Style(key=look))


def _lines(source: XmlSource, run: Element, text: Element, look: Style) -> Iterator[Piece]:
    """The lines of a run, and the ends of lines between them."""
    name = source.qualified_name(text)
    opening = b"<" + name + b' xml:space="preserve">'
    closing = b"</" + name + b">"
    before: Markup = (opening,)
    if run is not text:
        before = ((run.start, text.start), opening)
        closing += b"</" + source.qualified_name(run) + b">"
    style = Style(key=look.key, before=before, after=(closing,))
    span = (run.start, run.end)
    content = _unescaped(source.text_of(text))
    # Without runs, a cell is one text with its lines.
    for index, line in enumerate([content] if run is text else _LINES.split(content)):
        if index % 2:
            markup = (*before, escaped(line), closing)
            yield Piece(kind="single", span=span, mark="br", markup=markup)
        else:
            yield Piece(kind="text", span=span, text=line, style=style)


def _add_header(source: XmlSource, header: Element, slots: Slots) -> None:
    """The texts between the codes of a header."""
    if header.children:
        return
    text, position = source.text_of(header), 0
    span = (header.open_end, header.close_start)
    pieces: list[Piece] = []
    for code in _CODES.finditer(text):
        pieces.append(Piece(kind="text", span=span, text=text[position : code.start()]))
        mark = _MARKS.get(code.group(), "img")
        markup = (escaped(code.group()),)
        pieces.append(Piece(kind="single", span=span, mark=mark, markup=markup))
        position = code.end()
    pieces.append(Piece(kind="text", span=span, text=text[position:]))
    texts = [i for i, piece in enumerate(pieces) if piece.text.strip()]
    if is_translatable("".join(piece.text for piece in pieces)):
        slots.add(span, tagged(_without_edges(pieces, texts[0], texts[-1])))


def _without_edges(pieces: list[Piece], first: int, last: int) -> list[Piece]:
    """The pieces of a header from its first to its last text; codes around them stay in place."""
    inner = [piece for piece in pieces[first : last + 1] if piece.kind != "text" or piece.text]
    before = tuple(part for piece in pieces[:first] for part in _as_it_is(piece))
    behind = tuple(part for piece in pieces[last + 1 :] for part in _as_it_is(piece))
    inner[0] = replace(inner[0], begin=before)
    inner[-1] = replace(inner[-1], finish=behind)
    return inner


def _as_it_is(piece: Piece) -> Markup:
    """A code, or the space between two codes."""
    return piece.markup or (escaped(piece.text),)
