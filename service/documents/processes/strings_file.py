"""The strings of a document and their translations on the disk; the standard library alone.

Strings: a line each, `h` (HTML) or `t` (text) and the string as JSON.

Translations: a line a batch, `[[index, ...], [translation, ...]]`. A process that is killed leaves
at most its last line incomplete, which is not read.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from service.documents.document import DocumentString, TextFormat
from service.documents.pieces import pieces_of

_CODES: dict[TextFormat, str] = {"html": "h", "text": "t"}
_FORMATS: dict[str, TextFormat] = {code: name for name, code in _CODES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceString:
    """A string to translate, or a piece of one, by its place in the document."""

    index: int
    text: str
    format: TextFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class StringsSize:
    """How much there is to translate in a document."""

    num_strings: int
    num_chars: int
    """Characters of all strings."""


def write_strings(path: Path, strings: Iterable[DocumentString]) -> StringsSize:
    """Write the strings of a document, long ones in pieces; returns how much there is.

    Raises:
        DocumentError: A string is too long.
    """
    count = num_chars = 0
    with path.open("w", encoding="ascii") as file:
        for string in strings:
            for text in pieces_of(string):
                file.write(f"{_CODES[string.format]}{json.dumps(text)}\n")
                count += 1
                num_chars += len(text)
    return StringsSize(num_strings=count, num_chars=num_chars)


def read_strings(path: Path, done: "bytearray | None" = None) -> Iterator[SourceString]:
    """The strings of a document, read as they are asked for.

    Args:
        path: Where they are.
        done: 1 at the index of each string to leave out.
    """
    with path.open(encoding="ascii") as file:
        for index, line in enumerate(file):
            if done is None or not done[index]:
                yield SourceString(index=index, text=json.loads(line[1:]), format=_FORMATS[line[0]])


def translations_line(new: Mapping[int, str]) -> bytes:
    """The line of a batch of translations by index."""
    return json.dumps([[*new], [*new.values()]]).encode("ascii") + b"\n"


def read_translations(paths: Iterable[Path]) -> Iterator[tuple[int, str]]:
    """Index and translation of every string in these files, in the order they were written."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    indices, texts = json.loads(line)
                    yield from zip(indices, texts, strict=True)
