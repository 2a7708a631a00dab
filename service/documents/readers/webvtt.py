"""`.vtt`: the text of each cue; its tags, the number of its lines and all other blocks are kept.

`Language:` of the header names the language of the translation.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

from service.documents.document import Document, DocumentString, Part
from service.documents.encoding import decode
from service.documents.errors import DocumentError
from service.documents.packages.passages import Piece, TaggedPassage, inner_pieces, tagged
from service.documents.packages.slots import is_translatable
from service.documents.readers.file_language import language_code
from service.documents.readers.subtitles import has_speakers
from service.documents.readers.wrapping import balanced
from service.text.markup.references import unescaped

_HEADER = re.compile(r"WEBVTT(?:[ \t\r\n]|\Z)")
_LANGUAGE = re.compile(
    r"WEBVTT[^\r\n]*+(?:\r\n|\r|\n)(?:(?!Language:)(?![^\r\n]*-->)[^\r\n]++(?:\r\n|\r|\n))*+"
    r"Language:[ \t]*+(?P<code>[A-Za-z0-9_-]++)[ \t]*+(?=[\r\n]|\Z)"
)
"""A line of the header, before the first blank line and the first cue."""
_TIMES = re.compile(r"\s*(?:\d+:)?\d+:\d+\.\d+[ \t]*-->[ \t]*(?:\d+:)?\d+:\d+\.\d+")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_TOKEN = re.compile(r"(?P<tag><(?P<close>/?)(?P<name>[a-z]*)[^<>]*>)|[^<]+|<")
_NEWLINE = re.compile(r"[ \t]*+(\r\n|\r|\n)[ \t]*+")
_SPACES = re.compile(r"[ \t\r\n]+")
_VOICE = re.compile(r"\s*<v[. \t>]")


def read(data: bytes) -> Document:
    """Parse cues.

    Raises:
        DocumentError: The file does not begin with `WEBVTT`.
    """
    text, encoding = decode(data)
    if text and not _HEADER.match(text):
        raise DocumentError("its first line is not WEBVTT: it is not a .vtt file")
    parts: list[Part] = []
    if language := _LANGUAGE.match(text):
        start, end = language.span("code")
        parts += text[:start], language_code(language["code"])
        text = text[end:]
    lines = _LINE.findall(text)
    for is_payload, group in groupby(
        zip(_are_payload(lines), lines, strict=True), key=lambda pair: pair[0]
    ):
        content = [line for _, line in group]
        parts += _cue(content) if is_payload else content
    return Document(parts=tuple(parts), encoding=encoding)


def _are_payload(lines: Sequence[str]) -> Iterator[bool]:
    """Whether each line is shown: those behind the times of a cue, up to a blank line."""
    is_shown = False
    for line in lines:
        is_times = _TIMES.match(line) is not None
        yield is_shown and not is_times and bool(line.strip())
        is_shown = is_times or (is_shown and bool(line.strip()))


def _cue(lines: Sequence[str]) -> Iterator[str | DocumentString]:
    """The strings of a cue: one, or one for each line where lines name their speakers."""
    is_divided = has_speakers(lines) or sum(bool(_VOICE.match(line)) for line in lines) > 1
    for together in [[line] for line in lines] if is_divided else [lines]:
        yield from _passage("".join(together))


def _passage(raw: str) -> Iterator[str | DocumentString]:
    """The text between what stands at its edges."""
    pieces = _trimmed(inner_pieces(_pieces(raw)), raw)
    if not is_translatable("".join(piece.text for piece in pieces)):
        yield raw
        return
    start, end = pieces[0].span[0], pieces[-1].span[1]
    passage = tagged(pieces)
    num_lines = sum(bool(line.strip()) for line in _LINE.findall(raw[start:end]))
    found = _NEWLINE.search(raw[start:end])
    render = partial(
        _rendered,
        passage=passage,
        raw=raw,
        num_lines=num_lines,
        newline=found[1] if found else "\n",
    )
    yield raw[:start]
    yield DocumentString(
        text=passage.text, original=raw[start:end], format=passage.format, render=render
    )
    yield raw[end:]


def _pieces(raw: str) -> list[Piece]:
    """Text and tags; what is not nested, or opened and never closed, is a tag by itself."""
    pieces: list[Piece] = []
    opened: list[tuple[str, int]] = []
    num_open: Counter[str] = Counter()
    for token in _TOKEN.finditer(raw):
        if not token["tag"]:
            pieces.append(_text_piece(token[0], token.start()))
            continue
        name = token["name"]
        pieces.append(Piece(kind="single", span=token.span(), markup=(token[0].encode(),)))
        if not token["close"]:
            opened.append((name, len(pieces) - 1))
            num_open[name] += 1
        elif num_open[name]:
            while opened:
                other, start = opened.pop()
                num_open[other] -= 1
                if other == name:
                    pieces[start] = replace(pieces[start], kind="open")
                    pieces[-1] = replace(pieces[-1], kind="close")
                    break
    return pieces


def _trimmed(pieces: list[Piece], raw: str) -> list[Piece]:
    """Without white space before the first and behind the last text."""
    for index, strip in ((0, str.lstrip), (-1, str.rstrip)):
        if pieces and pieces[index].kind == "text":
            start, end = pieces[index].span
            text = strip(raw[start:end])
            at = end - len(text) if index == 0 else start
            pieces[index] = _text_piece(text, at)
    return pieces


def _text_piece(raw: str, start: int) -> Piece:
    text = unescaped(_NEWLINE.sub(" ", raw))
    return Piece(kind="text", span=(start, start + len(raw)), text=text)


def _rendered(
    translation: str, *, passage: TaggedPassage, raw: str, num_lines: int, newline: str
) -> str:
    written = passage.render(translation, lambda *span: raw[slice(*span)].encode()).decode("utf-8")
    return newline.join(balanced(_SPACES.sub(" ", written).strip(), num_lines))
