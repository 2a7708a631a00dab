"""A paragraph as a text with numbered tags, and its translation as XML again.

The readers say what a paragraph consists of. Here adjacent runs of one style become one, the style
of most of the text needs no tag, and markup at the edges stays outside.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from service.documents.document import TextFormat
from service.documents.packages.slots import Copy, Slots, is_translatable
from service.documents.packages.xml_tree import Span, escaped
from service.text.markup.references import unescaped

Markup = tuple[Span | bytes, ...]
"""Places in the source, and what is not in it."""
Mark = Literal["img", "br", "code"]
"""How the translator sees an element: as no word, as the end of a line, as a word to keep."""
_REFERENCE = re.compile(r"\s*[\[(]?(?:\d+|[*†‡§¶]+)[\])]?\s*")
"""The mark of a footnote."""
_MAX_REFERENCE = 8
"""Pieces of such a mark."""
_TAG = re.compile(
    r'<(?P<close>/?)g(?P<pair>\d{1,9})>|<(?:img|br) id="g(?P<single>\d{1,9})">'
    r'|<code id="g(?P<word>\d{1,9})">[^<]*</code>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What is around a text with its formatting."""

    key: bytes = b""
    """Equal for styles that look the same."""
    before: Markup = ()
    after: Markup = ()
    line_space: bytes = b""
    """Written for a space at the beginning or behind another one; empty: spaces stay spaces."""

    def written(self, text: str, copy: Copy, *, is_first: bool) -> bytes:
        """A text in this style; it may be the first one of its paragraph."""
        content = escaped(text)
        if self.line_space:
            content = re.sub(b"(?<= ) ", self.line_space, content)
            if is_first and content.startswith(b" "):
                content = self.line_space + content[1:]
        return markup_written(self.before, copy) + content + markup_written(self.after, copy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a paragraph."""

    kind: Literal["text", "open", "close", "single"]
    span: Span
    """Where it is in the source."""
    text: str = ""
    style: Style = Style()
    markup: Markup = ()
    """Text of a tag."""
    mark: Mark = "img"
    begin: Markup = ()
    """Closes what is open in the source before this piece, so that it can be the first one."""
    finish: Markup = ()
    """Opens what is open in the source behind this piece, so that it can be the last one."""
    pair: str = ""
    """Id of a single that begins or ends something; both have the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedPassage:
    """The pieces of a paragraph with their numbers."""

    text: str
    format: TextFormat
    pieces: tuple[Piece, ...]
    styles: dict[int, Style]
    """Styles by the number of their tag; 0: without one."""
    partners: dict[int, int]
    """Closing pieces by the numbers of opening ones."""
    bases: dict[int, Style]
    """The style of most text within each opening piece."""

    def render(self, translation: str, copy: Copy) -> bytes:
        """The translation as XML; what its tags have lost stands at its end."""
        return _Rendering(self, copy).written(translation)


def add_passage(slots: Slots, pieces: Sequence[Piece]) -> None:
    """Translate what the pieces say, if it has letters; the pieces are nested and in order."""
    pieces = inner_pieces(pieces)
    if not is_translatable("".join(piece.text for piece in pieces)):
        return
    slots.add((pieces[0].span[0], pieces[-1].span[1]), tagged(pieces))


def inner_pieces(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces with their pairs, without what is at the edges and no text."""
    return _inner(_with_references(_paired(pieces)))


def markup_written(markup: Markup, copy: Copy) -> bytes:
    """Markup with what changes in it."""
    return b"".join(part if isinstance(part, bytes) else copy(*part) for part in markup)


def _paired(pieces: Sequence[Piece]) -> list[Piece]:
    """With beginnings and ends as pairs where these are nested."""
    paired = list(pieces)
    open_pairs: list[tuple[str, int]] = []
    for index, piece in enumerate(pieces):
        if piece.kind == "open" or (piece.kind == "single" and piece.pair.startswith("<")):
            open_pairs.append((piece.pair[1:], index))
        elif piece.kind == "close":
            while open_pairs and pieces[open_pairs.pop()[1]].kind != "open":
                pass
        elif piece.pair and open_pairs and open_pairs[-1][0] == piece.pair[1:]:
            start = open_pairs.pop()[1]
            paired[start] = replace(paired[start], kind="open")
            paired[index] = replace(piece, kind="close")
    return paired


def _with_references(pieces: Sequence[Piece]) -> list[Piece]:
    """With the mark of a footnote behind a word, as in `word<sup>1</sup>`, as a single one."""
    partners = _partners(pieces)
    found: list[Piece] = []
    index, is_behind_word = 0, False
    while index < len(pieces):
        piece = pieces[index]
        end = partners.get(index, index) + 1
        if is_behind_word and index + 1 < end <= index + _MAX_REFERENCE:
            content = "".join(each.text for each in pieces[index:end])
            if _REFERENCE.fullmatch(content):
                span = (piece.span[0], pieces[end - 1].span[1])
                piece = replace(piece, kind="single", span=span, markup=(span,))
                index = end - 1
        found.append(piece)
        if piece.kind != "close":
            is_behind_word = piece.text[-1:].isalpha()
        index += 1
    return found


def _inner(pieces: Sequence[Piece]) -> list[Piece]:
    """Without what is at the edges and no text."""
    partners = _partners(pieces)
    start, end = 0, len(pieces)
    while start < end:
        first, last = pieces[start], pieces[end - 1]
        if _is_edge(first, pieces[start + 1 : start + 2]):
            start += 1
        elif _is_edge(last, pieces[max(start, end - 2) : end - 1]):
            end -= 1
        elif first.kind == "open" and partners[start] == end - 1:
            start, end = start + 1, end - 1
        elif first.kind == "open" and partners[start] == start + 1:
            start += 2
        elif last.kind == "close" and partners.get(end - 2) == end - 1:
            end -= 2
        else:
            break
    return list(pieces[start:end])


def _is_edge(piece: Piece, next_inner: Sequence[Piece]) -> bool:
    if piece.kind == "text":
        return not piece.text.strip() and bool(next_inner) and next_inner[0].kind != "text"
    if piece.kind != "single":
        return False
    # A word to keep belongs to the text beside it.
    return piece.mark != "code" or not next_inner or next_inner[0].mark == "br"


def _partners(pieces: Sequence[Piece]) -> dict[int, int]:
    partners, stack = {}, []
    for index, piece in enumerate(pieces):
        if piece.kind == "open":
            stack.append(index)
        elif piece.kind == "close":
            partners[stack.pop()] = index
    return partners


def tagged(pieces: Sequence[Piece]) -> TaggedPassage:
    """The pieces as one passage, edges included."""
    bases = _base_styles(pieces)
    writer = _TagWriter(bases)
    for number, piece in enumerate(pieces, start=1):
        writer.add(number, piece)
    writer.end_style()
    is_html = writer.has_tags
    return TaggedPassage(
        text="".join(writer.texts) if is_html else "".join(piece.text for piece in pieces),
        format="html" if is_html else "text",
        pieces=tuple(pieces),
        styles=writer.styles,
        partners={start + 1: end + 1 for start, end in _partners(pieces).items()},
        bases=bases,
    )


def _base_styles(pieces: Sequence[Piece]) -> dict[int, Style]:
    """The style with most characters within each opening piece, by number; 0: outside of all."""
    stack, counts = [0], {0: Counter[bytes]()}
    styles: dict[bytes, Style] = {}
    for number, piece in enumerate(pieces, start=1):
        if piece.kind == "open":
            stack.append(number)
            counts[number] = Counter()
        elif piece.kind == "close":
            stack.pop()
        elif piece.kind == "text":
            counts[stack[-1]][piece.style.key] += len(piece.text)
            styles.setdefault(piece.style.key, piece.style)
    default = next(iter(styles.values()), Style())
    return {
        number: styles[count.most_common(1)[0][0]] if count else default
        for number, count in counts.items()
    }


class _TagWriter:
    """Writes pieces as HTML; a style ends where another one begins."""

    def __init__(self, bases: dict[int, Style]) -> None:
        self.texts: list[str] = []
        self.styles: dict[int, Style] = {}
        self.has_tags = False
        self._bases = bases
        self._opened = [0]
        self._style: tuple[int, bytes] | None = None
        self._held: list[str] = []
        """Elements behind a text with a style: within it only if more of it follows."""

    def add(self, number: int, piece: Piece) -> None:
        """Write a piece."""
        if piece.kind == "text":
            self._set_style(number, piece.style)
            self.texts.append(piece.text.replace("&", "&amp;").replace("<", "&lt;"))
            return
        self.has_tags = True
        if piece.kind == "single":
            tag = f'<{piece.mark} id="g{number}">'
            self._held.append(f"{tag}{number}</code>" if piece.mark == "code" else tag)
            return
        self.end_style()
        if piece.kind == "open":
            self._opened.append(number)
            self.texts.append(f"<g{number}>")
        else:
            self.texts.append(f"</g{self._opened.pop()}>")

    def end_style(self) -> None:
        """Write the end of the style that is open."""
        if self._style:
            self.texts.append(f"</g{self._style[0]}>")
            self._style = None
        self._release()

    def _release(self) -> None:
        self.texts += self._held
        self._held.clear()

    def _set_style(self, number: int, style: Style) -> None:
        if self._style and self._style[1] != style.key:
            self.end_style()
        self._release()
        if not self._style and style.key != self._bases[self._opened[-1]].key:
            self.has_tags = True
            self.texts.append(f"<g{number}>")
            self.styles[number] = style
            self._style = (number, style.key)


class _Rendering:
    """Writes a translation: text in runs, tags as the markup of their pieces."""

    def __init__(self, passage: TaggedPassage, copy: Copy) -> None:
        self._passage = passage
        self._copy = copy
        self._missing = {
            number
            for number, piece in enumerate(passage.pieces, start=1)
            if piece.kind in ("single", "open")
        }
        self._opened: list[int] = [0]
        self._is_first = True
        self._text: list[str] = []
        self._written: list[bytes] = []

    def written(self, translation: str) -> bytes:
        """The translation between what begins and what finishes it."""
        first, last = self._passage.pieces[0], self._passage.pieces[-1]
        self._written.append(markup_written(first.begin, self._copy))
        if self._passage.format == "text":
            self._text.append(translation)
        else:
            for part in self._parts(translation):
                self._text.append(part)
        self._end_text()
        while self._opened[-1]:
            self._close(self._opened[-1])
        for number in sorted(self._missing):
            self._append_lost(number)
        self._written.append(markup_written(last.finish, self._copy))
        return b"".join(self._written)

    def _parts(self, translation: str) -> Iterator[str]:
        """The texts between tags; tags are written when their turn comes."""
        position = 0
        for tag in _TAG.finditer(translation):
            yield unescaped(translation[position : tag.start()])
            position = tag.end()
            self._add_tag(tag)
        yield unescaped(translation[position:])

    def _add_tag(self, tag: re.Match[str]) -> None:
        self._end_text()
        number = int(tag["single"] or tag["word"] or tag["pair"])
        if tag["pair"] is None:
            if number in self._missing and self._piece(number).kind == "single":
                self._missing.discard(number)
                self._emit(self._piece(number).markup)
        elif tag["close"]:
            if number in self._opened and number:
                while self._opened[-1] != number:
                    self._close(self._opened[-1])
                self._close(number)
        elif number in self._passage.styles:
            self._opened.append(number)
        elif number in self._missing and self._piece(number).kind == "open":
            self._missing.discard(number)
            self._opened.append(number)
            self._emit(self._piece(number).markup)

    def _close(self, number: int) -> None:
        self._opened.remove(number)
        partner = self._passage.partners.get(number)
        if partner is not None and number not in self._passage.styles:
            self._emit(self._piece(partner).markup)

    def _append_lost(self, number: int) -> None:
        """Write what the translation has lost: an image, a bookmark, a link without its text."""
        piece = self._piece(number)
        self._emit(piece.markup)
        if piece.kind == "open":
            self._emit(self._piece(self._passage.partners[number]).markup)

    def _piece(self, number: int) -> Piece:
        return self._passage.pieces[number - 1]

    def _emit(self, markup: Markup) -> None:
        self._written.append(markup_written(markup, self._copy))

    def _end_text(self) -> None:
        text, self._text = "".join(self._text), []
        if not text:
            return
        innermost = self._opened[-1]
        style = self._passage.styles.get(innermost) or self._passage.bases[innermost]
        self._written.append(style.written(text, self._copy, is_first=self._is_first))
        self._is_first = False
