"""A page of a book: the text of each block with its inline elements.

Unlike a web page it is XML, and stays so: the reader of `.html` would take `<title/>` for a tag
that is never closed.
"""

import re
from collections.abc import Iterator

from service.documents.packages.passages import Mark, Piece, add_passage
from service.documents.packages.slots import Slots
from service.documents.packages.xml_tree import OPAQUE, TEXT, Element, XmlSource

_SPACES = re.compile(r"[ \t\r\n]+")
_INLINE_NAMES = """
    a abbr acronym audio b bdi bdo big br cite code data del dfn em font i img input ins kbd label
    map mark math meter object output picture q rb rp rt ruby s samp small span strike strong sub
    sup time tt u var video wbr
"""
_INLINE = frozenset(f"h:{name}" for name in _INLINE_NAMES.split())
_CODE = frozenset(["h:code", "h:kbd", "h:samp", "h:var", "h:tt", "math:math"])
_KEPT = frozenset(
    ["h:pre", "h:script", "h:style", "h:textarea", "h:object", "h:audio", "h:video", "h:iframe",
     "h:rt", "h:rp", "h:template"]
)  # fmt: skip
"""What holds no running text."""
_VALUES = ("alt", "title", "aria-label")
_LANGUAGES = ("lang", "xml:lang")


def find_page(source: XmlSource, slots: Slots) -> None:
    """The passages, alternative texts and the language of a page."""
    _Page(source, slots).find()


class _Page:
    def __init__(self, source: XmlSource, slots: Slots) -> None:
        self._source = source
        self._slots = slots
        self._with_blocks: set[int] = set()
        """Elements that hold a block, by their start."""

    def find(self) -> None:
        """Add the slots of the page."""
        root = self._source.root
        self._find_blocks(root)
        spans = self._source.attribute_spans(root)
        for name in _LANGUAGES:
            if name in spans:
                self._slots.add_language(spans[name])
        stack = [root]
        while stack:
            element = stack.pop()
            if not _is_kept(element):
                self._slots.add_attributes(element, *_VALUES)
                stack += reversed(element.children)
                if self._is_block(element):
                    self._add_passages(element)

    def _find_blocks(self, root: Element) -> None:
        stack: list[tuple[Element, Element | None]] = [(root, None)]
        order = []
        while stack:
            element, parent = stack.pop()
            order.append((element, parent))
            stack += [(child, element) for child in element.children]
        for element, parent in reversed(order):
            if parent is not None and self._is_block(element):
                self._with_blocks.add(parent.start)

    def _is_block(self, element: Element) -> bool:
        if element.name in (OPAQUE, TEXT, "math:math", "svg:svg"):
            return False
        return element.name not in _INLINE or element.start in self._with_blocks

    def _add_passages(self, block: Element) -> None:
        """The text between the blocks within a block."""
        pieces: list[Piece] = []
        for start, end, content in self._source.texts(block):
            if isinstance(content, Element) and self._is_block(content):
                add_passage(self._slots, pieces)
                pieces = []
            else:
                pieces += self._pieces(start, end, content)
        add_passage(self._slots, pieces)

    def _pieces(self, start: int, end: int, content: Element | str) -> Iterator[Piece]:
        if isinstance(content, str):
            yield Piece(kind="text", span=(start, end), text=_SPACES.sub(" ", content))
            return
        if content.name == OPAQUE:
            return
        is_empty = content.close_start == content.open_end
        if is_empty or _is_kept(content) or content.name in _CODE | {"svg:svg"}:
            yield _single(content, is_empty=is_empty)
            return
        opening, closing = (start, content.open_end), (content.close_start, end)
        yield Piece(kind="open", span=opening, markup=(opening,))
        for part in self._source.texts(content):
            yield from self._pieces(*part)
        yield Piece(kind="close", span=closing, markup=(closing,))


def _single(element: Element, *, is_empty: bool) -> Piece:
    span = (element.start, element.end)
    mark: Mark = "br" if element.name == "h:br" else "img"
    if not is_empty and element.name != "svg:svg":
        mark = "code"
    return Piece(kind="single", span=span, markup=(span,), mark=mark)


def _is_kept(element: Element) -> bool:
    """Whether nothing in an element is translated."""
    attributes = element.attributes
    return (
        element.name in _KEPT | _CODE
        or element.name == "svg:svg"
        or attributes.get("translate") == "no"
        or "notranslate" in attributes.get("class", "").split()
        or ("hidden" in attributes and element.name != "h:nav")
    )
