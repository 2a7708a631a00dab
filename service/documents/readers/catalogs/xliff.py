"""`.xliff`, `.xlf` 1.2 and 2.0: sources are kept, missing targets are written with a state."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from service.documents.document import DocumentString, TextFormat
from service.documents.errors import DocumentError
from service.documents.packages.passages import Mark, Piece, TaggedPassage, inner_pieces, tagged
from service.documents.packages.slots import Copy, Slots, XmlPart, is_translatable
from service.documents.packages.xml_tree import (
    OPAQUE,
    Element,
    Span,
    XmlSource,
    escaped_value,
    parse_xml,
)

_PAIRS = frozenset(["g", "mrk", "pc"])
_BEGINNINGS: Mapping[str, str] = {"bx": "x", "bpt": "pt", "sc": "c", "sm": "m"}
_ENDS: Mapping[str, str] = {"ex": "x", "ept": "pt", "ec": "c", "em": "m"}
_WORDS = frozenset(["x", "ph", "cp"])
"""What may stand for a word of the text: a variable."""
_LINE_BREAKS = frozenset(["lb", "x-html-br", "br"])
_UNTRANSLATED = frozenset(["new", "needs-translation", "initial"])
"""States of targets that hold no translation yet, whatever they contain."""
_STATE = re.compile(rb"""\s+(?:state|state-qualifier|subState)\s*=\s*(?:"[^"]*"|'[^']*')""")
_STATE_1 = b' state="needs-review-translation" state-qualifier="mt-suggestion"'
_STATE_2 = b"translated"
_HEADER = "x-gettext-domain-header"
"""Kind of a unit that holds the header of a gettext catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class XliffDocument:
    """A parsed file."""

    part: XmlPart
    languages: frozenset[str]
    """Languages of the targets that are kept."""

    def iter_strings(self) -> Iterator[DocumentString]:
        """The sources to translate, in order."""
        return self.part.iter_strings()

    @property
    def strings(self) -> tuple[DocumentString, ...]:
        """The sources to translate, in order."""
        return tuple(self.iter_strings())

    def write(self, translations: Sequence[str], language: str = "") -> bytes:
        """The bytes of the file with a translation for each of its strings.

        Args:
            translations: One for each string.
            language: BCP-47 code of the translation.

        Raises:
            DocumentError: The file has translations to another language.
            ValueError: The numbers of translations and strings differ.
        """
        others = [code for code in self.languages if _primary(code) != _primary(language)]
        if translations and language and others:
            raise DocumentError(
                f"it has translations to {others[0][:35]!r}: translate it to that language"
            )
        rest = iter(translations)
        try:
            written = self.part.write(rest, language)
        except StopIteration:
            raise ValueError("translations are shorter than the strings") from None
        if next(rest, None) is not None:
            raise ValueError("translations are longer than the strings")
        return written


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A target to write: its source with other text."""

    passage: TaggedPassage
    before: Span
    """What the source has before its text."""
    after: Span
    opening: bytes
    """What stands before the content."""
    closing: bytes

    @property
    def text(self) -> str:
        """For the translator."""
        return self.passage.text

    @property
    def format(self) -> TextFormat:
        """Of `text`."""
        return self.passage.format

    def render(self, translation: str, copy: Copy) -> bytes:
        """The element with the translation."""
        content = self.passage.render(translation, copy)
        content = copy(*self.before) + content + copy(*self.after)
        return self.opening + content + self.closing


def read(data: bytes) -> XliffDocument:
    """Parse a file of a translator's tool.

    Raises:
        DocumentError: It is not XLIFF, or beyond a limit.
    """
    source = parse_xml(data, "")
    root = source.root
    version = root.attributes.get("version", "")
    if _local(root) != "xliff" or version[:2] not in ("1.", "2."):
        raise DocumentError("its outermost element is not <xliff> of version 1.2 or 2.0")
    slots = Slots(source)
    finder = _Finder(source, slots, is_first=version.startswith("1."))
    finder.find(root)
    return XliffDocument(part=slots.build(), languages=frozenset(finder.languages))


class _Finder:
    """Finds the targets to write."""

    def __init__(self, source: XmlSource, slots: Slots, *, is_first: bool) -> None:
        self.languages: set[str] = set()
        self._source = source
        self._slots = slots
        self._is_first = is_first

    def find(self, root: Element) -> None:
        """Add the slots of all units, and the languages."""
        stack = [(root, "")]
        while stack:
            element, language = stack.pop()
            name = _local(element)
            if name == ("file" if self._is_first else "xliff"):
                language = self._add_language(element)
            if element.attributes.get("translate") == "no":
                continue
            if name == ("trans-unit" if self._is_first else "segment"):
                self._add_unit(element, language)
            else:
                stack += [(child, language) for child in reversed(element.children)]

    def _add_language(self, element: Element) -> str:
        """Name the language of the targets; returns what the file says now."""
        name = "target-language" if self._is_first else "trgLang"
        span = self._source.attribute_spans(element).get(name)
        if span:
            old = element.attributes[name]
            self._slots.add_language(span, lambda new: _unless_same(old, new))
            return old
        end = element.open_end - (2 if element.end == element.open_end else 1)
        self._slots.add_language(
            (end, end), lambda new: b' %s="%s"' % (name.encode(), escaped_value(new))
        )
        return ""

    def _add_unit(self, unit: Element, language: str) -> None:
        children = {_local(child): child for child in reversed(unit.children)}
        source, target = children.get("source"), children.get("target")
        if source is None:
            return
        if self._is_translated(unit, target):
            self.languages |= {language} - {""}
            return
        pieces = inner_pieces(list(self._pieces(children.get("seg-source", source))))
        if not is_translatable("".join(piece.text for piece in pieces)):
            return
        after = children.get("seg-source", source)
        self._add_target(after, target, pieces)
        if not self._is_first:
            self._add_state(unit)

    def _is_translated(self, unit: Element, target: Element | None) -> bool:
        if unit.attributes.get("approved") == "yes" or unit.attributes.get("restype") == _HEADER:
            return True
        if target is None:
            return False
        state = (target if self._is_first else unit).attributes.get("state", "")
        has_content = bool(target.children) or bool(self._source.text_of(target).strip())
        return (has_content and state not in _UNTRANSLATED) or state in ("final", "signed-off")

    def _add_target(self, source: Element, target: Element | None, pieces: list[Piece]) -> None:
        start, end = pieces[0].span[0], pieces[-1].span[1]
        span = (source.end, source.end) if target is None else (target.start, target.end)
        opening, closing = self._tags(source, target)
        self._slots.add(
            span,
            _Target(
                passage=tagged(pieces),
                before=(source.open_end, start),
                after=(end, source.close_start),
                opening=opening,
                closing=closing,
            ),
            is_new=True,
        )

    def _tags(self, source: Element, target: Element | None) -> tuple[bytes, bytes]:
        """The tags of a target, on a line of its own if the source has one."""
        name = self._source.qualified_name(source)
        prefix = name[: name.rindex(b":") + 1] if b":" in name else b""
        if target is not None:
            tag = self._source.raw((target.start, target.open_end))
            name = self._source.qualified_name(target)
            tag = _STATE.sub(b"", tag) if self._is_first else tag
            tag = tag[: -2 if tag.endswith(b"/>") else -1].rstrip()
            indent = b""
        else:
            name = prefix + b"target"
            tag = b"<" + name
            indent = self._indent(source)
        state = _STATE_1 if self._is_first else b""
        return indent + tag + state + b">", b"</" + name + b">"

    def _indent(self, element: Element) -> bytes:
        """The line end and spaces before an element, if it is the first of its line."""
        data, start = self._source.data, element.start
        while start and data[start - 1 : start] in (b" ", b"\t"):
            start -= 1
        if data[start - 1 : start] != b"\n":
            return b""
        newline = start - (2 if data[start - 2 : start] == b"\r\n" else 1)
        return data[newline : element.start]

    def _add_state(self, segment: Element) -> None:
        span = self._source.attribute_spans(segment).get("state")
        if span:
            self._slots.add_language(span, lambda _: _STATE_2)
        else:
            end = segment.open_end - 1
            self._slots.add_language((end, end), lambda _: b' state="%s"' % _STATE_2)

    def _pieces(self, element: Element) -> Iterator[Piece]:
        for start, end, content in self._source.texts(element):
            if isinstance(content, str):
                yield Piece(kind="text", span=(start, end), text=content)
            elif content.name != OPAQUE:
                yield from self._tag(content)

    def _tag(self, element: Element) -> Iterator[Piece]:
        name, span = _local(element), (element.start, element.end)
        is_kept = name == "mrk" and _is_protected(element)
        if name in _PAIRS and element.close_start > element.open_end and not is_kept:
            opening, closing = (span[0], element.open_end), (element.close_start, span[1])
            yield Piece(kind="open", span=opening, markup=(opening,))
            yield from self._pieces(element)
            yield Piece(kind="close", span=closing, markup=(closing,))
            return
        attributes = element.attributes
        kind = attributes.get("ctype") or attributes.get("type") or attributes.get("subType", "")
        mark: Mark = "br" if kind.rpartition(":")[2] in _LINE_BREAKS else "img"
        if is_kept or (name in _WORDS and mark == "img"):
            mark = "code"
        yield Piece(kind="single", span=span, markup=(span,), mark=mark, pair=_pair(element))


def _is_protected(marker: Element) -> bool:
    """Whether a marker says that its text is not translated: in 1.2, or in 2.0."""
    attributes = marker.attributes
    return attributes.get("mtype") == "protected" or attributes.get("translate") == "no"


def _pair(element: Element) -> str:
    """What begins and ends a pair: equal but for the first character."""
    name, attributes = _local(element), element.attributes
    start = attributes.get("rid") or attributes.get("startRef") or attributes.get("id", "")
    if name in _BEGINNINGS:
        own = attributes.get("rid") or attributes.get("id", "")
        return f"<{_BEGINNINGS[name]}{own}"
    return f">{_ENDS[name]}{start}" if name in _ENDS else ""


def _local(element: Element) -> str:
    return element.name.rpartition(":")[2]


def _primary(language: str) -> str:
    return language.lower().replace("_", "-").partition("-")[0]


def _unless_same(old: str, new: str) -> bytes | None:
    return None if _primary(old) == _primary(new) else escaped_value(new)
