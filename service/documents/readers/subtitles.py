"""`.srt`: the text of each subtitle; its tags and the number of its lines are kept."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby, pairwise

from service.documents.document import Document, DocumentString, TextFormat
from service.documents.encoding import decode
from service.documents.errors import DocumentError
from service.documents.packages.passages import Piece, TaggedPassage, inner_pieces, tagged
from service.documents.packages.slots import is_translatable
from service.documents.packages.xml_tree import escaped
from service.documents.readers.wrapping import balanced, joined

_TIMES = re.compile(r"\s*\d+:\d+:\d+[.,]\d+\s*-->\s*\d+:\d+:\d+[.,]\d+")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_POSITION = re.compile(r"(?:\{\\(?![bius]\d*\})[^{}]*\})+")
"""Override tags of SubStation Alpha for the whole subtitle, such as its position, `{\\an8}`."""
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
_SPEAKER = re.compile(r"\s*(?:\{\\[^{}]*\}\s*)*+(?:[-–—•♪♫#*]|[^\W\d_][\w .]{0,20}:)")  # noqa: RUF001
_TAG = re.compile(r"</?[A-Za-z]")
_MARKUP = re.compile(
    r"\{\\(?P<style>[bius])(?P<value>\d*)\}|\{\\[^{}]*\}"
    r"|<(?P<close>/?)(?P<name>[A-Za-z]+)[^<>]*>"
)
"""An override tag, which switches a style on or off where it has one of the letters, or of HTML."""
_ESCAPES = {"&#13;": "\r", "&lt;": "<", "&gt;": ">", "&amp;": "&"}
_ESCAPE = re.compile("|".join(_ESCAPES))


def read(data: bytes) -> Document:
    """Parse subtitles.

    Raises:
        DocumentError: The file has none.
    """
    text, encoding = decode(data)
    lines = _LINE.findall(text)
    kinds = _kinds(lines)
    if lines and "times" not in kinds:
        raise DocumentError("no line is like 00:00:01,000 --> 00:00:02,500: it is not a .srt file")
    parts: list[str | DocumentString] = []
    for kind, group in groupby(zip(kinds, lines, strict=True), key=lambda line: line[0]):
        content = [line for _, line in group]
        parts += _subtitle(content) if kind == "text" else content
    return Document(parts=tuple(parts), encoding=encoding)


def _kinds(lines: list[str]) -> list[str]:
    """The kind of each line: `times`, `number`, `text` or `blank`, also before the first times."""
    kinds: list[str] = []
    is_shown = False
    for line, following in pairwise([*lines, ""]):
        if _TIMES.match(line):
            is_shown = True
            kinds.append("times")
        elif line.strip().isdecimal() and _TIMES.match(following):
            kinds.append("number")
        else:
            kinds.append("text" if is_shown and line.strip() else "blank")
    return kinds


def _subtitle(lines: list[str]) -> Iterator[str | DocumentString]:
    position = _POSITION.match(lines[0])
    if position:
        yield position.group()
        lines = [lines[0][position.end() :], *lines[1:]]
    for together in [[line] for line in lines] if has_speakers(lines) else [lines]:
        yield from _spoken(together)


def has_speakers(lines: Sequence[str]) -> bool:
    """Whether a line names its speaker, or begins with a dash: lines then stay apart."""
    return any(_SPEAKER.match(line) for line in lines)


def _spoken(lines: list[str]) -> Iterator[str | DocumentString]:
    """The spoken text of these lines, and the line end after it."""
    original = "".join(lines).rstrip("\r\n")
    contents = [line.strip() for line in lines if line.strip()]
    if contents:
        newline = re.sub(r"[^\r\n]", "", lines[0]) or "\n"
        on_lines = partial(_on_lines, num_lines=len(contents), newline=newline)
        yield _string(joined(contents), original, on_lines)
        yield "".join(lines)[len(original) :]
    else:
        yield "".join(lines)


def _string(text: str, original: str, on_lines: Callable[[str], str]) -> str | DocumentString:
    """The text of a line, or of several."""
    if not _OVERRIDE.search(text):
        format_: TextFormat = "html" if _TAG.search(text) else "text"
        return DocumentString(text=text, original=original, format=format_, render=on_lines)
    pieces = inner_pieces(list(_pieces(text)))
    if not is_translatable("".join(piece.text for piece in pieces)):
        return original
    passage = tagged(pieces)
    return DocumentString(
        text=passage.text,
        original=original,
        format=passage.format,
        render=lambda translation: on_lines(_with_markup(translation, passage, text)),
    )


def _pieces(text: str) -> Iterator[Piece]:
    """Text, and tags with what they begin or end."""
    end = 0
    for match in _MARKUP.finditer(text):
        if match.start() > end:
            yield Piece(kind="text", span=(end, match.start()), text=text[end : match.start()])
        name = match["style"] or (match["name"] or "").lower()
        is_end = match["close"] or (match["style"] and match["value"] in ("", "0"))
        pair = f"{'>' if is_end else '<'}{name}" if name else ""
        yield Piece(kind="single", span=match.span(), markup=(escaped(match[0]),), pair=pair)
        end = match.end()
    if end < len(text):
        yield Piece(kind="text", span=(end, len(text)), text=text[end:])


def _with_markup(translation: str, passage: TaggedPassage, text: str) -> str:
    """The translation of a passage between what stands at the edges of its text."""
    start, end = passage.pieces[0].span[0], passage.pieces[-1].span[1]
    written = passage.render(translation, lambda *span: escaped(text[slice(*span)])).decode()
    # The syntax has no escapes: what the passage has written is taken back.
    return text[:start] + _ESCAPE.sub(lambda match: _ESCAPES[match[0]], written) + text[end:]


def _on_lines(translation: str, *, num_lines: int, newline: str) -> str:
    return newline.join(balanced(translation, num_lines))
