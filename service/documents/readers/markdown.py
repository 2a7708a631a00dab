"""`.md`: the text of each block; code, formulas, front matter, link targets and layout are kept."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from service.documents.document import Document, DocumentString
from service.documents.encoding import decode
from service.documents.readers.markdown_block import Place, string_of
from service.documents.readers.markdown_kept import keep_blocks

# `text_join` would remove escapes that must be written again.
_PARSER = keep_blocks(
    MarkdownIt("commonmark").enable(["table", "strikethrough"]).disable("text_join")
)
_FRONT_MATTER = re.compile(r"(?:---|\+\+\+)[ \t]*\r?\n(?s:.*?)\n(?:---|\+\+\+)[ \t]*(?:\r?\n|\Z)")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_ALERT = re.compile(r"\[![A-Za-z]+\]\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """A text with the offsets of its lines, which the parser refers to by number."""

    text: str
    starts: tuple[int, ...]
    newline: str

    def line(self, number: int) -> str:
        """A line without trailing white space."""
        return self.text[self.starts[number] : self.starts[number + 1]].rstrip()


def read(data: bytes) -> Document:
    """Parse a Markdown file.

    Raises:
        DocumentError: The file is not text.
    """
    text, encoding = decode(data)
    front_matter = _FRONT_MATTER.match(text)
    begin = front_matter.end() if front_matter else 0
    parts: list[str | DocumentString] = []
    end = 0
    for start, stop, string in _strings(text[begin:]):
        parts.append(text[end : begin + start])
        parts.append(string)
        end = begin + stop
    return Document(parts=(*parts, text[end:]), encoding=encoding)


def _strings(text: str) -> Iterator[tuple[int, int, DocumentString]]:
    """Start, end and content of the strings to translate, in order."""
    starts = [0]
    for match in _LINE.finditer(text):
        starts.append(match.end())
    newline = "\r\n" if "\r\n" in text[: starts[min(1, len(starts) - 1)]] else "\n"
    lines = _Lines(text=text, starts=tuple(starts), newline=newline)
    done = 0
    for before, token in pairwise([Token("", "", 0), *_PARSER.parse(text)]):
        found = None
        if token.type == "html_block" and token.level == 0:
            found = _html(token, lines)
        elif token.type == "inline" and token.content.strip():
            found = _running_text(token, before, lines, done)
        if found:
            yield found
            done = found[1]


def _html(token: Token, lines: _Lines) -> tuple[int, int, DocumentString] | None:
    first, last = token.map or (0, 0)
    start, end = lines.starts[first], lines.starts[last]
    content = lines.text[start:end].rstrip()
    string = DocumentString(text=content, original=content, format="html")
    return (start, start + len(content), string) if content else None


def _running_text(
    token: Token, before: Token, lines: _Lines, done: int
) -> tuple[int, int, DocumentString] | None:
    """The text of an inline token; None if it is not at the expected place."""
    first, _ = token.map or (0, 0)
    contents, children = token.content.split("\n"), token.children or []
    if len(contents) > 1 and _ALERT.match(contents[0]):
        # `[!NOTE]` is markup only on a line of its own.
        first, contents, children = first + 1, contents[1:], children[2:]
    is_cell = before.type in ("th_open", "td_open")
    if is_cell or before.markup.startswith("#"):
        span = _within_line(contents[0], lines, first, done, is_cell=is_cell)
    else:
        span = _to_line_end(contents, lines, first)
    if span is None:
        return None
    start, end = span
    indent = ""
    if len(contents) > 1:
        second = lines.line(first + 1)
        indent = second[: len(second) - len(contents[1].strip())]
    place = Place(
        original=lines.text[start:end],
        newline=lines.newline,
        indent=indent,
        is_cell=is_cell,
        is_paragraph=before.type == "paragraph_open",
    )
    return start, end, string_of("\n".join(contents), children, place)


def _within_line(
    content: str, lines: _Lines, number: int, done: int, *, is_cell: bool
) -> tuple[int, int] | None:
    written = content.replace("|", "\\|") if is_cell else content
    start = lines.text.find(written, max(done, lines.starts[number]), lines.starts[number + 1])
    return (start, start + len(written)) if start >= 0 else None


def _to_line_end(contents: list[str], lines: _Lines, first: int) -> tuple[int, int] | None:
    """Span of lines that `contents` end, after any prefixes; None if they do not."""
    offsets = []
    for number, content in enumerate(contents, start=first):
        line, content = lines.line(number), content.strip()
        if not line.endswith(content):
            return None
        offsets.append(lines.starts[number] + len(line) - len(content))
    end = lines.starts[first + len(contents) - 1] + len(lines.line(first + len(contents) - 1))
    return offsets[0], end
