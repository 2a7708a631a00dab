"""One block of Markdown as HTML for the translator, and its translation as Markdown again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from markdown_it.token import Token

from service.documents.document import DocumentString
from service.documents.readers.markdown_inline import Piece, WalkError, pieces_of
from service.documents.readers.wrapping import filled

_MARK = re.compile(r'</?g(\d+)>|<(?:br|img) id="g(\d+)">|&lt;')
_BREAK = "\0"
"""Placeholder of a hard line break while lines are filled; never in a text."""
_MAY_BEGIN_LINE = re.compile(r"[^\W\d_]|[\"'„“(]|\d+(?![\d.)])")
_BLOCK_START = re.compile(r"(?P<before>[-+*](?=\s)|#{1,6}(?=\s|\Z)|>|\d{1,9}(?=[.)](?:\s|\Z)))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of a block in its file."""

    original: str
    newline: str
    indent: str
    """Prefix of its lines, from the second on."""
    is_cell: bool
    """Whether it is a cell of a table."""
    is_paragraph: bool


def string_of(content: str, tokens: Sequence[Token], place: Place) -> DocumentString:
    """The string to translate for a block.

    Args:
        content: Text of the block, without indentation.
        tokens: The parser's inline tokens.
        place: The place of the block in its file.
    """
    try:
        pieces = pieces_of(content, tokens)
    except WalkError:
        # Syntax that the walk does not know: the text is translated with its markup as it is.
        pieces = []
    is_filled = any(token.type == "softbreak" for token in tokens)
    width = max(map(len, content.split("\n"))) if is_filled else None
    render = partial(_render, pieces=pieces, place=place, width=width)
    if not pieces or all(piece.kind == "text" for piece in pieces):
        text = "".join(piece.text for piece in pieces) or " ".join(content.split("\n"))
        return DocumentString(text=text, original=place.original, render=render)
    text = "".join(_html(number, piece) for number, piece in enumerate(pieces))
    return DocumentString(text=text, original=place.original, format="html", render=render)


def _html(number: int, piece: Piece) -> str:
    match piece.kind:
        case "open":
            return f"<g{number}>"
        case "close":
            return f"</g{piece.partner}>"
        case "single":
            return f'<img id="g{number}">'
        case "break":
            return f'<br id="g{number}">'
        case "html":
            return piece.text
        case _:
            return piece.text.replace("<", "&lt;")


def _render(translation: str, *, pieces: list[Piece], place: Place, width: int | None) -> str:
    text = translation
    if any(piece.kind != "text" for piece in pieces):
        closing = {piece.partner: piece.text for piece in pieces if piece.kind == "close"}
        text = _MARK.sub(partial(_markdown, pieces=pieces, closing=closing), translation)
    if place.is_cell:
        text = text.replace("|", "\\|")
    lines = text.split(_BREAK)
    if width is not None:
        lines = [line for part in lines for line in _filled(part, width)]
    if place.is_paragraph:
        lines = [_escaped(lines[0], place), *lines[1:]]
    return f"{place.newline}{place.indent}".join(lines)


def _filled(text: str, width: int) -> list[str]:
    """Lines of at most `width`; trailing spaces stay, as they may be a hard line break."""
    *lines, last = filled(text, width, _MAY_BEGIN_LINE)
    return [*lines, last.rstrip() + text[len(text.rstrip()) :]]


def _markdown(mark: re.Match[str], *, pieces: list[Piece], closing: dict[int | None, str]) -> str:
    """The source's markup for a tag of the HTML."""
    number = int(mark[1] or mark[2] or -1)
    if number < 0:
        return "<"
    if not 0 <= number < len(pieces):
        return mark.group()
    if mark.group().startswith("</"):
        return closing.get(number, mark.group())
    return pieces[number].text


def _escaped(line: str, place: Place) -> str:
    """Escape a line start such as `1. Januar`, which would begin a list."""
    start = _BLOCK_START.match(line)
    if start is None or _BLOCK_START.match(place.original):
        return line
    number = start.end() if start["before"].isdecimal() else 0
    return f"{line[:number]}\\{line[number:]}"
