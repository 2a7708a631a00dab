"""Text of drawings: slides, shapes, charts, diagrams; the same in all Office files."""

from collections.abc import Iterator

from service.documents.packages.passages import Mark, Piece, Style, add_passage
from service.documents.packages.slots import Slots
from service.documents.packages.xml_tree import Element, Span, XmlSource
from service.documents.readers.office.languages import language_for

_OF_CHECKING = frozenset(["lang", "altLang", "dirty", "err", "noProof", "smtClean", "bmk"])
"""Attributes of a run that say how its spelling was checked."""
_NAMED = ("descr", "title")


def find_drawing(source: XmlSource, slots: Slots) -> None:
    """The paragraphs and alternative texts of a drawing."""
    find_below(source, source.root, slots)


def find_below(source: XmlSource, root: Element, slots: Slots) -> None:
    """The paragraphs and alternative texts below an element."""
    stack = [root]
    while stack:
        element = stack.pop()
        if element.name == "a:p":
            add_passage(slots, [*_pieces(source, element)])
            add_languages(source, element, slots)
            stack += [child for run in element.children for child in run.iter("a:p")]
            continue
        if element.name.rpartition(":")[2] in ("cNvPr", "docPr"):
            slots.add_attributes(element, *_NAMED)
        stack += reversed(element.children)


def _pieces(source: XmlSource, paragraph: Element) -> Iterator[Piece]:
    for child in paragraph.children:
        match child.name:
            case "a:r":
                yield _run(source, child)
            case "a:pPr" | "a:endParaRPr":
                pass
            case "a:br":
                yield _single(child, "br")
            case "a:fld" | "mc:AlternateContent":
                yield _single(child, "code")
            case _:
                yield _single(child, "img")


def _run(source: XmlSource, run: Element) -> Piece:
    text = run.find("a:t")
    if text is None:
        return _single(run, "img")
    style = Style(
        key=_look(source, run.find("a:rPr")),
        before=((run.start, text.open_end),) if text.open_end < text.end else _opened(source, run),
        after=_closed(source, run),
    )
    # A line break within a run is written as a vertical tab by some programs: it is not a word.
    return Piece(kind="text", span=(run.start, run.end), text=source.text_of(text), style=style)


def _opened(source: XmlSource, run: Element) -> tuple[Span | bytes, ...]:
    """The beginning of a run whose text is an empty tag."""
    text = run.find("a:t")
    end = text.start if text else run.open_end
    name = source.qualified_name(text) if text else b"a:t"
    return (run.start, end), b"<" + name + b">"


def _closed(source: XmlSource, run: Element) -> tuple[bytes, ...]:
    text = run.find("a:t")
    name = source.qualified_name(text) if text else b"a:t"
    return (b"</" + name + b"></" + source.qualified_name(run) + b">",)


def _look(source: XmlSource, properties: Element | None) -> bytes:
    """The properties of a run that can be seen."""
    if properties is None:
        return b""
    values = [
        f'{name}="{value}"'
        for name, value in sorted(properties.attributes.items())
        if name not in _OF_CHECKING
    ]
    return " ".join(values).encode() + source.raw((properties.open_end, properties.close_start))


def _single(element: Element, mark: Mark) -> Piece:
    span = (element.start, element.end)
    return Piece(kind="single", span=span, markup=(span,), mark=mark)


def add_languages(source: XmlSource, element: Element, slots: Slots) -> None:
    """The languages that runs, and defaults of runs, below an element name."""
    for properties in element.iter("a:rPr", "a:endParaRPr", "a:defRPr"):
        spans = source.attribute_spans(properties) if "lang" in properties.attributes else {}
        if "lang" in spans:
            slots.add_language(spans["lang"], language_for("latin"))
