"""XML as a tree of places in its source, so that a change leaves all other bytes as they are.

The parser is expat. It says where in the source everything stands, which a tree of lxml does not.
Entities are neither declared nor loaded: a document type may be named and not defined.
"""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.entities import html5
from types import MappingProxyType
from xml.parsers import expat  # nosec B405 - hardened below

from service.documents.encoding import Encoding
from service.documents.errors import DocumentError

MAX_DEPTH = 200
MAX_ELEMENTS = 1_000_000
TEXT = "#text"
"""The name of character data that is written as it is: a CDATA section."""
OPAQUE = "#opaque"
"""The name of comments and instructions."""
_TAG = re.compile(rb"""<[^"'>]*+(?:"[^"]*+"[^"'>]*+|'[^']*+'[^"'>]*+)*+>""")
_QNAME = re.compile(rb"<([^\s/>]+)")
_ATTRIBUTE = re.compile(rb"""([^\s=/<>]+)\s*=\s*("[^"]*+"|'[^']*+')""")
_UNUSED = re.compile(r"(?:\A| )(?:rsid\w*|space)\Z")
"""Attributes that are on every run of a document and say nothing here; not kept."""
_LEFT_OUT = re.compile(rb"\Axmlns(?::|\Z)|(?:\A|:)(?:rsid\w*|space)\Z")
_SHORT_CHARS = 30
_REFERENCE = re.compile(r"&(#[xX]?[0-9a-fA-F]+|\w+);")
_DECLARED = re.compile(rb"""<\?xml[^>]{0,99}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_OOXML = "http://schemas.openxmlformats.org/"
_STRICT = "http://purl.oclc.org/ooxml/"
_ODF = "urn:oasis:names:tc:opendocument:xmlns:"
_PREFIXES: Mapping[str, str] = {
    **{
        f"{base}{path}": prefix
        for prefix, paths in {
            "w": "wordprocessingml",
            "a": "drawingml",
            "p": "presentationml",
            "s": "spreadsheetml",
            "c": "drawingml/chart",
            "m": "officeDocument/math",
            "r": "officeDocument/relationships",
        }.items()
        for base, path in (
            (_OOXML, f"{paths.partition('/')[0]}/2006/{paths.partition('/')[2] or 'main'}"),
            (_STRICT, f"{paths.partition('/')[0]}/{paths.partition('/')[2] or 'main'}"),
        )
    },
    f"{_OOXML}markup-compatibility/2006": "mc",
    f"{_OOXML}package/2006/content-types": "ct",
    f"{_OOXML}package/2006/metadata/core-properties": "cp",
    **{
        f"{_ODF}{name}:1.0": prefix
        for name, prefix in {
            "text": "text",
            "office": "office",
            "style": "style",
            "table": "table",
            "drawing": "draw",
            "presentation": "presentation",
            "meta": "meta",
            "xsl-fo-compatible": "fo",
            "svg-compatible": "svg",
            "datastyle": "number",
            "manifest": "manifest",
        }.items()
    },
    "http://openoffice.org/2009/office": "officeooo",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://www.w3.org/1999/xhtml": "h",
    "http://www.w3.org/XML/1998/namespace": "xml",
    "http://www.idpf.org/2007/opf": "opf",
    "http://www.idpf.org/2007/ops": "epub",
    "http://www.daisy.org/z3986/2005/ncx/": "ncx",
    "urn:oasis:names:tc:opendocument:xmlns:container": "container",
    "http://www.w3.org/1998/Math/MathML": "math",
    "http://www.w3.org/2000/svg": "svg",
}
"""Short names of namespaces, which a document may call otherwise."""

_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})

Span = tuple[int, int]


@dataclass(slots=True, eq=False)
class Element:
    """An element, or what else stands between two tags, by its place in the source."""

    name: str
    """Name with its prefix of `_PREFIXES`."""
    start: int
    open_end: int
    """Behind its opening tag."""
    attributes: Mapping[str, str] = field(default_factory=lambda: _NO_ATTRIBUTES)
    children: "Sequence[Element]" = ()
    close_start: int = 0
    """Before its closing tag; as `open_end` if it is an empty tag."""
    end: int = 0

    def find(self, name: str) -> "Element | None":
        """The first child of that name."""
        return next((child for child in self.children if child.name == name), None)

    def iter(self, *names: str) -> "Iterator[Element]":
        """All elements of these names below this one, in order; not those below found ones."""
        stack = [iter(self.children)]
        while stack:
            child = next(stack[-1], None)
            if child is None:
                stack.pop()
            elif child.name in names:
                yield child
            else:
                stack.append(iter(child.children))


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlSource:
    """A parsed entry."""

    data: bytes
    """Content of the entry in UTF-8."""
    encoding: Encoding
    """Encoding of the entry."""
    root: Element

    def encode(self, data: bytes) -> bytes:
        """UTF-8 in the encoding of the entry."""
        if self.encoding.name == "utf-8":
            return self.encoding.mark + data
        return self.encoding.encode(data.decode("utf-8"))

    def raw(self, span: Span) -> bytes:
        """The source at a place."""
        return self.data[span[0] : span[1]]

    def qualified_name(self, element: Element) -> bytes:
        """The name of an element as the source writes it."""
        match = _QNAME.match(self.data, element.start)
        return match[1] if match else b""

    def attribute_spans(self, element: Element) -> dict[str, Span]:
        """Where the values of its attributes stand, without quotes."""
        tag = self.data[element.start : element.open_end]
        found = [m for m in _ATTRIBUTE.finditer(tag) if not _LEFT_OUT.search(m[1])]
        if len(found) != len(element.attributes):
            return {}  # two names for one: no program writes that
        return {
            name: (element.start + m.start(2) + 1, element.start + m.end(2) - 1)
            for name, m in zip(element.attributes, found, strict=True)
        }

    def texts(self, element: Element) -> "Iterator[tuple[int, int, Element | str]]":
        """The content of an element: children, and the text before, between and behind them."""
        position = element.open_end
        for child in element.children:
            if child.start > position:
                yield position, child.start, self._text(position, child.start)
            is_text = child.name == TEXT
            content = self.data[child.open_end : child.close_start].decode() if is_text else child
            yield child.start, child.end, content
            position = child.end
        if element.close_start > position:
            yield position, element.close_start, self._text(position, element.close_start)

    def text_of(self, element: Element) -> str:
        """The text of an element, without that of its children."""
        return "".join(text for *_, text in self.texts(element) if isinstance(text, str))

    def _text(self, start: int, end: int) -> str:
        return _REFERENCE.sub(_character, self.data[start:end].decode("utf-8"))


def parse_xml(content: bytes, name: str) -> XmlSource:
    """The tree of an entry.

    Args:
        content: The entry.
        name: Its name, for messages; empty: it is the whole file.

    Raises:
        DocumentError: It is not well formed, too deep or too large, or defines entities.
    """
    data, encoding = _utf_8(content, name)
    builder = _Builder(data, name)
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        message = expat.errors.messages.get(error.code, "it is not XML")
        raise DocumentError(
            f"{_subject(name)} is no XML (line {error.lineno}: {message}): save it again"
        ) from None
    return XmlSource(data=data, encoding=encoding, root=builder.root)


def escaped(text: str) -> bytes:
    """Text as the content of an element or of an attribute; characters XML has not are left out."""
    text = "".join(c for c in text if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff"))
    text = text.replace("\ufffe", "").replace("\uffff", "").replace("\r", "&#13;")
    text = text.replace("&", "&amp;").replace("&amp;#13;", "&#13;").replace("<", "&lt;")
    return text.replace(">", "&gt;").encode("utf-8")


def escaped_value(text: str) -> bytes:
    """Text as the value of an attribute, without the quotes around it."""
    value = escaped(text).replace(b'"', b"&quot;").replace(b"'", b"&#39;")
    return value.replace(b"\n", b"&#10;").replace(b"\t", b"&#9;")


def _subject(name: str) -> str:
    return f"its entry {name}" if name else "it"


class _Builder:
    def __init__(self, data: bytes, entry: str) -> None:
        self._data = data
        self._entry = entry
        self._stack = [Element(name="", start=0, open_end=0)]
        self._num_elements = 0
        self._names: dict[str, str] = {}
        self._values: dict[str, str] = {}
        parser = self.parser = expat.ParserCreate("utf-8", " ")
        parser.ordered_attributes = True
        parser.specified_attributes = True
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.CommentHandler = lambda _: self._add(OPAQUE, 0, b"-->")
        parser.ProcessingInstructionHandler = lambda *_: self._add(OPAQUE, 0, b"?>")
        parser.StartCdataSectionHandler = lambda: self._add(TEXT, len(b"<![CDATA["), b"]]>")
        parser.EntityDeclHandler = self._refuse_entity
        parser.ExternalEntityRefHandler = self._refuse_entity

    @property
    def root(self) -> Element:
        """The outermost element."""
        return next(child for child in self._stack[0].children if child.name != OPAQUE)

    def _open(self, name: str, attributes: list[str]) -> None:
        start = self.parser.CurrentByteIndex
        tag = _TAG.match(self._data, start)
        self._num_elements += 1
        if tag is None or len(self._stack) > MAX_DEPTH or self._num_elements > MAX_ELEMENTS:
            raise DocumentError(
                f"{_subject(self._entry)} has over {MAX_ELEMENTS} elements, or over {MAX_DEPTH} in "
                "each other: divide it"
            )
        pairs = zip(attributes[::2], attributes[1::2], strict=True)
        element = Element(
            name=self._short(name),
            start=start,
            open_end=tag.end(),
        )
        kept = {self._short(k): self._known(v) for k, v in pairs if not _UNUSED.search(k)}
        if kept:
            element.attributes = kept
        self._append(element)
        self._stack.append(element)

    def _close(self, _: str) -> None:
        element = self._stack.pop()
        is_empty_tag = self._data[element.open_end - 2 : element.open_end] == b"/>"
        start = element.open_end if is_empty_tag else self.parser.CurrentByteIndex
        element.close_start = start
        element.end = start if is_empty_tag else self._data.index(b">", start) + 1

    def _add(self, name: str, size: int, end: bytes) -> None:
        start = self.parser.CurrentByteIndex
        close_start = self._data.index(end, start + size)
        element = Element(name=name, start=start, open_end=start + size)
        element.close_start, element.end = close_start, close_start + len(end)
        self._append(element)

    def _append(self, element: Element) -> None:
        """Add a child; most elements have none, so that there is no list until then."""
        parent = self._stack[-1]
        if isinstance(parent.children, list):
            parent.children.append(element)
        else:
            parent.children = [element]

    def _known(self, value: str) -> str:
        """The same object for equal values: there are many, and few are different."""
        return self._values.setdefault(value, value) if len(value) < _SHORT_CHARS else value

    def _short(self, name: str) -> str:
        if name not in self._names:
            uri, _, local = name.rpartition(" ")
            prefix = _PREFIXES.get(uri, uri)
            self._names[name] = f"{prefix}:{local}" if uri else local
        return self._names[name]

    def _refuse_entity(self, *_: object) -> int:
        raise DocumentError(f"{_subject(self._entry)} defines entities: it is no document")


def _utf_8(content: bytes, name: str) -> tuple[bytes, Encoding]:
    """An entry in UTF-8, and the encoding that it has."""
    encoding = Encoding(name="utf-8")
    declared = _DECLARED.match(content)
    if declared:
        encoding = Encoding(name=_codec(declared[1].decode("ascii"), name), has_references=True)
    for mark, codec in _MARKS:
        if content.startswith(mark):
            encoding = Encoding(name=codec, mark=mark, has_references=True)
    data = content[len(encoding.mark) :]
    if encoding.name == "utf-8":
        return data, encoding
    try:
        return data.decode(encoding.name).encode("utf-8"), encoding
    except UnicodeError:
        raise DocumentError(f"{_subject(name)} is not {encoding.name}: save it again") from None


def _codec(declared: str, name: str) -> str:
    try:
        codec = codecs.lookup(declared).name
        is_usable = "<?xml".encode(codec) == b"<?xml"
    except (LookupError, UnicodeError, TypeError):
        is_usable = False
    if not is_usable:
        raise DocumentError(
            f"{_subject(name)} is in an encoding that is not read, {declared}: save it in UTF-8"
        )
    return "utf-8" if codec == "ascii" else codec


def _character(reference: re.Match[str]) -> str:
    name = reference[1]
    if name[0] != "#":
        return html5.get(f"{name};", reference[0])
    return chr(int(f"0{name[1:]}", 0) if name[1] in "xX" else int(name[1:].lstrip("0")))
