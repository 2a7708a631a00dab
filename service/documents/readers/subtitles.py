"""`.srt`: the text of each subtitle; the number of its lines is kept."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby, pairwise

from service.documents.document import Document, DocumentString
from service.documents.encoding import decode
from service.documents.errors import DocumentError
from service.documents.readers.wrapping import balanced, joined

_TIMES = re.compile(r"\s*\d+:\d+:\d+[.,]\d+\s*-->\s*\d+:\d+:\d+[.,]\d+")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_POSITION = re.compile(r"(?:\{\\[^{}]*\})+")
"""Position of a subtitle on the screen, as in `{\\an8}`."""
_SPEAKER = re.compile(r"\s*(?:[-–—•♪♫#*]|[^\W\d_][\w .]{0,20}:)")  # noqa: RUF001
_TAG = re.compile(r"</?[A-Za-z]")


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
        text = joined(contents)
        newline = re.sub(r"[^\r\n]", "", lines[0]) or "\n"
        yield DocumentString(
            text=text,
            original=original,
            format="html" if _TAG.search(text) else "text",
            render=partial(_on_lines, num_lines=len(contents), newline=newline),
        )
        yield "".join(lines)[len(original) :]
    else:
        yield "".join(lines)


def _on_lines(translation: str, *, num_lines: int, newline: str) -> str:
    return newline.join(balanced(translation, num_lines))
