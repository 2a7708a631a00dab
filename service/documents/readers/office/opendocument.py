"""`.odt`, `.odp` and `.ods`: paragraphs wherever they are, with their spans."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from service.documents.errors import DocumentError
from service.documents.packages.archive import Archive
from service.documents.packages.packed_document import FindSlots, PackedDocument
from service.documents.packages.passages import Mark, Piece, Style, add_passage
from service.documents.packages.slots import Slots
from service.documents.packages.xml_tree import OPAQUE, Element, XmlSource, parse_xml
from service.documents.readers.office.languages import Script, script_of

_SPACES = re.compile(r"[ \t\r\n]+")
"""One space: more are written as elements."""
_PARAGRAPHS = ("text:p", "text:h")
_WRAPPERS = frozenset(["text:span", "text:a", "text:meta", "text:ruby-base"])
_MARKS: Mapping[str, Mark] = {
    "text:line-break": "br",
    "text:tab": "br",
    **dict.fromkeys(
        ["text:page-number", "text:page-count", "text:date", "text:time", "text:sequence",
         "text:bookmark-ref", "text:reference-ref", "text:sequence-ref", "text:note-ref",
         "text:chapter", "text:file-name", "text:author-name", "text:variable-get",
         "text:user-field-get", "text:database-display", "text:sheet-name", "text:title",
         "text:hidden-text", "text:conditional-text", "text:expression", "presentation:date-time"],
        "code",
    ),
}  # fmt: skip
_PAIRS = {
    "text:bookmark-start": "<b",
    "text:bookmark-end": ">b",
    "text:reference-mark-start": "<r",
    "text:reference-mark-end": ">r",
    "office:annotation": "<a",
    "office:annotation-end": ">a",
}
_CODE = frozenset(["Source_20_Text", "Source_Text", "Preformatted_20_Text"])
"""Styles of code; the second name is pandoc's."""
_UNSEEN_PROPERTIES = ("officeooo:paragraph-rsid",)
"""Those that begin with `rsid` are not among the attributes."""
_META = ("dc:title", "dc:subject", "dc:description", "meta:keyword")
_LANGUAGES: Mapping[Script, tuple[str, str]] = {
    "latin": ("fo:language", "fo:country"),
    "asian": ("style:language-asian", "style:country-asian"),
    "complex": ("style:language-complex", "style:country-complex"),
}
_NO_LANGUAGE = ("none", "zxx", "")


def read(kind: str) -> Callable[[bytes], PackedDocument]:
    """The reader of a kind of OpenDocument files: `text`, `presentation` or `spreadsheet`."""
    suffix = {"text": ".odt", "presentation": ".odp", "spreadsheet": ".ods"}[kind]

    def read_kind(data: bytes) -> PackedDocument:
        archive = Archive(data, suffix)
        media_type = archive.read("mimetype").decode("ascii", "replace").strip()
        if not media_type.startswith(f"application/vnd.oasis.opendocument.{kind}"):
            raise DocumentError(f"it is not a {suffix} file: its type is {media_type[:80]!r}")
        _check_readable(archive)
        entries: dict[str, FindSlots] = {"content.xml": _find_text}
        entries |= {name: _find_text for name in archive.names if name.endswith("/content.xml")}
        for name, find in (("styles.xml", _find_text), ("meta.xml", _find_meta)):
            if name in archive:
                entries[name] = find
        return PackedDocument(archive, entries)

    return read_kind


def _check_readable(archive: Archive) -> None:
    """Refuses a file with a password: its entries are noise."""
    name = "META-INF/manifest.xml"
    if name in archive:
        root = parse_xml(archive.read(name), name).root
        if next(root.iter("manifest:encryption-data"), None):
            raise DocumentError("it is encrypted: save it without a password")


def _find_text(source: XmlSource, slots: Slots) -> None:
    paragraphs = _Paragraphs(source)
    stack = [source.root]
    while stack:
        element = stack.pop()
        if element.name in _PARAGRAPHS:
            add_passage(slots, paragraphs.pieces(element))
        elif element.name in ("svg:title", "svg:desc"):
            slots.add_text(element)
        elif element.name == "style:text-properties":
            _add_languages(source, element, slots)
        elif element.name == "text:index-title-template":
            slots.add_text(element)
        elif element.name == "table:table-cell" and not _is_kept(element):
            slots.add_attributes(element, "office:string-value")
        if not _is_kept(element):
            stack += reversed(element.children)


def _is_kept(element: Element) -> bool:
    """Whether an element holds deleted or hidden text, a computed value or a placeholder."""
    attributes = element.attributes
    if element.name == "table:table-cell":
        kind = attributes.get("office:value-type", "string")
        return kind != "string" or "table:formula" in attributes
    return (
        element.name in ("text:tracked-changes", "table:tracked-changes")
        or attributes.get("text:display") == "none"
        or attributes.get("presentation:placeholder") == "true"
    )


def _find_meta(source: XmlSource, slots: Slots) -> None:
    for element in source.root.iter(*_META, "dc:language"):
        if element.name in _META:
            slots.add_text(element)
        elif element.close_start > element.open_end:
            slots.add_language((element.open_end, element.close_start))


def _add_languages(source: XmlSource, properties: Element, slots: Slots) -> None:
    spans = source.attribute_spans(properties) if len(properties.attributes) > 0 else {}
    for script, (language, country) in _LANGUAGES.items():
        if language not in spans or properties.attributes[language] in _NO_LANGUAGE:
            continue
        slots.add_language(spans[language], _subtag(script, 0))
        if country in spans:
            slots.add_language(spans[country], _subtag(script, 1))


def _subtag(script: Script, index: int) -> Callable[[str], bytes | None]:
    """Renders the language (0) or the country (1) of a code at the place of a script."""

    def render(language: str) -> bytes | None:
        if script_of(language) != script:
            return None
        primary, *others = language.split("-")
        region = next((tag for tag in others if len(tag) == 2 and tag.isalpha()), "none")
        return (primary, region.upper() if region != "none" else region)[index].encode("ascii")

    return render


class _Paragraphs:
    """Knows which styles of a document's spans cannot be seen."""

    def __init__(self, source: XmlSource) -> None:
        self._source = source
        self._unseen: set[str] = set()
        self._code = set(_CODE)
        self._hidden: set[str] = set()
        for style in source.root.iter("style:style"):
            self._add_style(style)

    def pieces(self, paragraph: Element) -> list[Piece]:
        """The pieces of a paragraph, nested and in order; none of a listing."""
        style = paragraph.attributes.get("text:style-name", "")
        if style in self._code or style in self._hidden:
            return []
        return [*self._content(paragraph, self._spaces(paragraph))]

    def _add_style(self, style: Element) -> None:
        name = style.attributes.get("style:name", "")
        if style.attributes.get("style:parent-style-name") in _CODE:
            self._code.add(name)
        properties = style.find("style:text-properties")
        attributes = properties.attributes if properties else {}
        if attributes.get("text:display") == "none":
            self._hidden.add(name)
        if (
            style.attributes.get("style:family") == "text"
            and "style:parent-style-name" not in style.attributes
            and len(style.children) <= 1
            and all(key in _UNSEEN_PROPERTIES for key in attributes)
        ):
            self._unseen.add(name)

    def _spaces(self, paragraph: Element) -> Style:
        """How spaces behind spaces are written: an element each."""
        prefix = self._source.qualified_name(paragraph).rpartition(b":")[0]
        return Style(line_space=b"<" + (prefix + b":" if prefix else b"") + b"s/>")

    def _content(self, element: Element, style: Style) -> Iterator[Piece]:
        for start, end, content in self._source.texts(element):
            if isinstance(content, str):
                yield Piece(
                    kind="text", span=(start, end), text=_SPACES.sub(" ", content), style=style
                )
            else:
                yield from self._child(content, style)

    def _child(self, child: Element, style: Style) -> Iterator[Piece]:
        span = (child.start, child.end)
        if child.name == "text:s":
            count = child.attributes.get("text:c", "1")
            num_spaces = min(int(count[:5]), 1_000) if count.isdecimal() else 1
            yield Piece(kind="text", span=span, text=" " * num_spaces, style=style)
        elif child.name in ("text:soft-page-break", OPAQUE):
            return
        elif child.name in _WRAPPERS and child.close_start > child.open_end:
            yield from self._wrapper(child, style)
        else:
            pair = _PAIRS.get(child.name, "")
            name = child.attributes.get("text:name") or child.attributes.get("office:name", "")
            pair = pair + name if pair and name else ""
            mark = _MARKS.get(child.name, "img")
            yield Piece(kind="single", span=span, markup=(span,), mark=mark, pair=pair)

    def _wrapper(self, child: Element, style: Style) -> Iterator[Piece]:
        name = child.attributes.get("text:style-name", "") if child.name == "text:span" else ""
        span = (child.start, child.end)
        if name and name in self._code | self._hidden:
            mark: Mark = "code" if name in self._code else "img"
            yield Piece(kind="single", span=span, markup=(span,), mark=mark)
        elif name and name in self._unseen:
            yield from self._unwrapped(child, style)
        else:
            opening, closing = (child.start, child.open_end), (child.close_start, child.end)
            yield Piece(kind="open", span=opening, markup=(opening,))
            yield from self._content(child, style)
            yield Piece(kind="close", span=closing, markup=(closing,))

    def _unwrapped(self, child: Element, style: Style) -> Iterator[Piece]:
        """The content of a span that cannot be seen; it may be cut where the span begins."""
        pieces = [*self._content(child, style)]
        last, depth = len(pieces) - 1, 0
        opening: tuple[tuple[int, int]] = ((child.start, child.open_end),)
        closing: tuple[tuple[int, int]] = ((child.close_start, child.end),)
        for index, piece in enumerate(pieces):
            depth -= piece.kind == "close"
            if depth == 0:  # a passage within an element of the span needs no cut
                start = child.start if index == 0 else piece.span[0]
                end = child.end if index == last else piece.span[1]
                begin = piece.begin if index == 0 else (*piece.begin, *closing)
                finish = piece.finish if index == last else (*opening, *piece.finish)
                piece = replace(piece, span=(start, end), begin=begin, finish=finish)
            depth += piece.kind == "open"
            yield piece
