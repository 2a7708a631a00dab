"""The runs of a Word paragraph as pieces of text and markup.

Word divides runs where nothing can be seen: at spelling errors, at revisions, at page breaks.
"""

from collections.abc import Sequence
from dataclasses import replace

from service.documents.packages.passages import Mark, Markup, Piece, Style
from service.documents.packages.xml_tree import OPAQUE, TEXT, Element, XmlSource

_INVISIBLE = frozenset(
    ["w:pPr", "w:proofErr", "w:rPr", "w:lastRenderedPageBreak", "w:sdtPr", "w:sdtEndPr",
     "w:smartTagPr", "w:customXmlPr", OPAQUE, TEXT]
)  # fmt: skip
"""Not kept with a translation, or not part of a run."""
_WRAPPERS = frozenset(
    ["w:hyperlink", "w:ins", "w:moveTo", "w:smartTag", "w:sdt", "w:customXml", "w:dir", "w:bdo"]
)
_BREAKS = frozenset(["w:br", "w:cr", "w:tab", "w:ptab"])
_LOOKS_LIKE_NOTHING = frozenset(["w:lang", "w:noProof", "w:rPrChange", OPAQUE, TEXT])
"""Properties of a run that cannot be seen."""
_LINK = "HYPERLINK"
"""The field whose result is text of the document."""
_CODE = frozenset(
    ["HTMLCode", "HTMLPreformatted", "HTMLTypewriter", "SourceCode", "SourceText",
     "PreformattedText", "VerbatimChar", "Verbatim", "Code", "MacroText"]
)  # fmt: skip
"""Styles of code: of Word, LibreOffice, pandoc."""
_CHARACTERS = {"w:noBreakHyphen": "\u2011", "w:softHyphen": ""}
_RANGES = {
    "bookmarkStart": "<b",
    "bookmarkEnd": ">b",
    "commentRangeStart": "<c",
    "commentRangeEnd": ">c",
    "permStart": "<p",
    "permEnd": ">p",
}


def pieces_of(source: XmlSource, paragraph: Element) -> list[Piece]:
    """The pieces of a paragraph, nested and in order; none of a listing."""
    if _style(paragraph.find("w:pPr"), "w:pStyle") in _CODE:
        return []
    return _Paragraph(source).pieces(paragraph.children)


class _Paragraph:
    def __init__(self, source: XmlSource) -> None:
        self._source = source

    def pieces(self, siblings: Sequence[Element]) -> list[Piece]:
        """Pieces of runs and of what is between them."""
        found: list[Piece] = []
        ends = _ends_of_fields(siblings)
        index = 0
        while index < len(siblings):
            end = ends.get(index)
            if end is None:
                found += self._pieces_of_one(siblings[index])
                index += 1
            else:
                found += self._field(siblings[index:end])
                index = end
        return found

    def _pieces_of_one(self, element: Element) -> list[Piece]:
        name = element.name
        if name in _INVISIBLE:
            return []
        if name == "w:r":
            return self._run(element)
        if name in _WRAPPERS or (name == "w:fldSimple" and self._is_link([element])):
            return self._wrapper(element)
        is_word = name in ("w:fldSimple", "m:oMath")
        mark: Mark = "code" if is_word else "img"
        pair = _RANGES.get(name.rpartition(":")[2], "")
        pair = pair and pair + element.attributes.get("w:id", "")
        return [_single((element.start, element.end), mark, pair)]

    def _wrapper(self, element: Element) -> list[Piece]:
        content = element.find("w:sdtContent") if element.name == "w:sdt" else element
        if content is None or content.close_start == content.open_end:
            return [_single((element.start, element.end), "img")]
        opening = (element.start, content.open_end)
        closing = (content.close_start, element.end)
        return [
            Piece(kind="open", span=opening, markup=(opening,)),
            *self.pieces(content.children),
            Piece(kind="close", span=closing, markup=(closing,)),
        ]

    def _field(self, runs: Sequence[Element]) -> list[Piece]:
        """A link with its text, or a field that Word computes."""
        separators = [i for i, run in enumerate(runs) if "separate" in _field_marks(run)]
        if not separators or not self._is_link(runs) or separators[0] == len(runs) - 1:
            return [_single((runs[0].start, runs[-1].end), "code")]
        middle, last = separators[0] + 1, len(runs) - 1
        opening = (runs[0].start, runs[middle - 1].end)
        closing = (runs[last].start, runs[last].end)
        return [
            Piece(kind="open", span=opening, markup=(opening,)),
            *self.pieces(runs[middle:last]),
            Piece(kind="close", span=closing, markup=(closing,)),
        ]

    def _is_link(self, elements: Sequence[Element]) -> bool:
        """Whether a field links to something: its result is text."""
        simple = elements[0].attributes.get("w:instr", "")
        texts = (text for element in elements for text in element.iter("w:instrText"))
        instruction = simple + "".join(map(self._source.text_of, texts))
        return instruction.split()[:1] == [_LINK]

    def _run(self, run: Element) -> list[Piece]:
        """Each piece with a run of its own, so that it can stand anywhere."""
        properties = run.find("w:rPr")
        if properties is not None and _is_hidden(properties):
            return [_single((run.start, run.end), "img")]
        if _style(properties, "w:rStyle") in _CODE:
            return [_single((run.start, run.end), "code")]
        content = [child for child in run.children if child.name not in _INVISIBLE]
        close = b"</" + self._source.qualified_name(run) + b">"
        opening: Markup = ((run.start, run.open_end),)
        if properties is not None:
            opening = (*opening, (properties.start, properties.end))
        prefix = self._source.qualified_name(run).rpartition(b":")[0]
        name = prefix + b":t" if prefix else b"t"
        style = Style(
            key=self._look(properties),
            before=(*opening, b"<" + name + b' xml:space="preserve">'),
            after=(b"</" + name + b">" + close,),
        )
        pieces = [self._within_run(child, opening, close, style) for child in content]
        if pieces:
            pieces[0] = replace(pieces[0], span=(run.start, pieces[0].span[1]), begin=())
            pieces[-1] = replace(pieces[-1], span=(pieces[-1].span[0], run.end), finish=())
        return pieces

    def _within_run(self, child: Element, opening: Markup, close: bytes, style: Style) -> Piece:
        span = (child.start, child.end)
        text = self._text(child)
        is_text = text is not None
        return Piece(
            kind="text" if is_text else "single",
            span=span,
            text=text or "",
            style=style if is_text else Style(),
            markup=() if is_text else (*opening, span, close),
            mark="br" if child.name in _BREAKS else "img",
            begin=(close,),
            finish=opening,
        )

    def _text(self, child: Element) -> str | None:
        """The text that a child of a run stands for; None if it is something else."""
        if child.name == "w:t":
            return self._source.text_of(child)
        if child.name == "w:ruby":
            base = child.find("w:rubyBase")
            texts = base.iter("w:t") if base else ()
            return "".join(self._source.text_of(text) for text in texts)
        return _CHARACTERS.get(child.name)

    def _look(self, properties: Element | None) -> bytes:
        """The properties that can be seen."""
        if properties is None:
            return b""
        return b"".join(
            self._source.raw((child.start, child.end))
            for child in properties.children
            if child.name not in _LOOKS_LIKE_NOTHING
        )


def _single(span: tuple[int, int], mark: Mark, pair: str = "") -> Piece:
    return Piece(kind="single", span=span, markup=(span,), mark=mark, pair=pair)


def _style(properties: Element | None, name: str) -> str:
    style = properties.find(name) if properties else None
    return style.attributes.get("w:val", "") if style else ""


def _is_hidden(properties: Element) -> bool:
    return any(
        child.name == "w:vanish"
        and child.attributes.get("w:val", "true") not in ("0", "false", "off")
        for child in properties.children
    )


def _ends_of_fields(siblings: Sequence[Element]) -> dict[int, int]:
    """The index behind the end of a field, by that of its beginning; the others end elsewhere."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for index, sibling in enumerate(siblings):
        for mark in _field_marks(sibling):
            if mark == "begin":
                opened.append(index)
            elif mark == "end" and opened:
                ends[opened.pop()] = index + 1
    return ends


def _field_marks(run: Element) -> list[str]:
    if run.name != "w:r":
        return []
    return [
        child.attributes.get("w:fldCharType", "")
        for child in run.children
        if child.name == "w:fldChar"
    ]
