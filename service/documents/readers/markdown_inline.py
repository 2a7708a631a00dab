"""Locates the inline markup of a Markdown block in its source.

The parser gives no positions of inline tokens, so the walk matches them along the text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markdown_it.helpers import parseLinkDestination, parseLinkTitle
from markdown_it.token import Token

PieceKind = Literal["text", "open", "close", "single", "break", "html"]

_SOFT_BREAK = re.compile(r"[ \t]*\n[ \t]*")
_HARD_BREAK = re.compile(r"(?:\\|[ \t]+)\n[ \t]*")
_SPACE = re.compile(r"[ \t\n]*")
_LABEL = re.compile(r"\[(?:[^\[\]\\]|\\.)*+\]", re.DOTALL)
_AUTOLINK = re.compile(r"<[^<>\s]*>")
_SPECIAL = re.compile(r"(\[(?:\^[^\]\s]+|[ xX])\]:?)")
"""Footnotes and check boxes, which the parser treats as text."""
_NOTE = re.compile(r"\[\^[^\]\s]+\]:")
_MARKUP_ENTITIES = ("&lt;", "&gt;", "&amp;")


class WalkError(Exception):
    """The text does not match the tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a block."""

    kind: PieceKind
    text: str
    """Source text; a line break has NUL in place of its line end."""
    partner: int | None = None
    """For a closing piece: index of its opening piece."""


def pieces_of(content: str, tokens: Sequence[Token]) -> list[Piece]:
    """`content` as pieces of text and markup.

    Raises:
        WalkError: `content` does not match `tokens`.
    """
    walk = _Walk(content)
    pieces: list[Piece] = []
    opened: list[int] = []
    for kind, text in walk.steps(tokens):
        if kind == "open":
            opened.append(len(pieces))
        if kind == "close" and not opened:
            raise WalkError
        pieces.append(
            Piece(kind=kind, text=text, partner=opened.pop() if kind == "close" else None)
        )
    return pieces


class _Walk:
    """A position in a text that advances token by token."""

    def __init__(self, content: str) -> None:
        self._content = content
        self._position = 0

    def steps(self, tokens: Sequence[Token]) -> Iterator[tuple[PieceKind, str]]:
        """Yields kind and source text of each token."""
        in_autolink = False
        for token in tokens:
            if token.markup == "autolink":
                in_autolink = token.type == "link_open"
                if in_autolink:
                    yield "single", self._match(_AUTOLINK)
            elif not in_autolink:
                yield from self._step(token)
        if self._position != len(self._content):
            raise WalkError

    def _step(self, token: Token) -> Iterator[tuple[PieceKind, str]]:
        match token.type:
            case "text":
                yield from _texts(self._take(token.content))
            case "text_special":
                is_plain = token.info == "entity" and token.markup not in _MARKUP_ENTITIES
                yield ("html" if is_plain else "single"), self._take(token.markup)
            case "softbreak":
                self._match(_SOFT_BREAK)
                # The parser joins footnotes to one paragraph; each needs its own line.
                is_note = _NOTE.match(self._content, self._position)
                yield ("break", "\0") if is_note else ("text", " ")
            case "hardbreak":
                yield "break", self._match(_HARD_BREAK).partition("\n")[0] + "\0"
            case "code_inline":
                code = self._code(token.markup)
                yield ("single" if "<" in code or "&" in code else "text"), code
            case "html_inline":
                yield "html", self._take(token.content)
            case _:
                yield self._paired(token)

    def _paired(self, token: Token) -> tuple[PieceKind, str]:
        """Paired markup; and images, whose target has the syntax of a link's."""
        match token.type, token.nesting:
            case "link_open", _:
                return "open", self._take("[")
            case "link_close", _:
                return "close", self._take("]") + self._target()
            case "image", _:
                return "single", self._take(f"![{token.content}]") + self._target()
            case _, 1:
                return "open", self._take(token.markup)
            case _, -1:
                return "close", self._take(token.markup)
        raise WalkError

    def _take(self, text: str) -> str:
        if not self._content.startswith(text, self._position):
            raise WalkError
        self._position += len(text)
        return text

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._content, self._position)
        if found is None:
            raise WalkError
        self._position = found.end()
        return found.group()

    def _code(self, ticks: str) -> str:
        """Inline code; line ends become spaces."""
        start = self._position
        self._take(ticks)
        end = re.compile(rf"(?<!`){ticks}(?!`)").search(self._content, self._position)
        if end is None:
            raise WalkError
        self._position = end.end()
        return _SOFT_BREAK.sub(" ", self._content[start : self._position])

    def _target(self) -> str:
        """The target after a link's text: `(address "title")`, `[name]`, or nothing."""
        start = self._position
        end = _end_of_address(self._content, start)
        if end is None and (label := _LABEL.match(self._content, start)):
            end = label.end()
        self._position = start if end is None else end
        return _SOFT_BREAK.sub(" ", self._content[start : self._position])


def _texts(text: str) -> Iterator[tuple[PieceKind, str]]:
    for number, part in enumerate(_SPECIAL.split(text)):
        if part:
            yield ("single" if number % 2 else "text"), part


def _end_of_address(content: str, start: int) -> int | None:
    """End of `(address "title")`; None if there is none at `start`."""
    if not content.startswith("(", start):
        return None
    size = len(content)
    address = parseLinkDestination(content, _skip_space(content, start + 1), size)
    position = _skip_space(content, address.pos if address.ok else start + 1)
    title = parseLinkTitle(content, position, size)
    if title.ok:
        position = _skip_space(content, title.pos)
    return position + 1 if content.startswith(")", position) else None


def _skip_space(content: str, position: int) -> int:
    space = _SPACE.match(content, position)
    return space.end() if space else position
