"""`.csv` and `.tsv`: the text of cells, in the chosen columns; quotes and line ends are kept."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from service.documents.document import Document, DocumentString
from service.documents.encoding import decode
from service.documents.errors import DocumentError
from service.documents.packages.slots import is_translatable

_DELIMITERS = ",;\t|"
_DECLARED = re.compile(r"sep=([^\r\n\"])(?:\r\n|\r|\n|\Z)", re.IGNORECASE)
"""The first line of a file for Excel."""
_QUOTED = re.compile(r'"(?:[^"]|"")*+"')
_FIRST_RECORD = re.compile(r'(?:[^"\r\n]|"(?:[^"]|"")*+(?:"|\Z))*+')
_SHOWN_NAMES = 20
_SHOWN_CHARS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    row: int
    column: int
    start: int
    end: int
    """Before the delimiter or line end."""
    value: str
    is_quoted: bool


def read_csv(data: bytes, columns: str = "") -> Document:
    """Parse a table whose delimiter is the most frequent of the usual ones in its first row.

    Args:
        data: Content of the file.
        columns: Names from the first row, or numbers from 1, with commas between; empty: all.

    Raises:
        DocumentError: A quotation mark is not closed, or there is no such column.
    """
    return _read(data, columns, "")


def read_tsv(data: bytes, columns: str = "") -> Document:
    """Parse a table with tabs between its cells; arguments and errors as those of `read_csv`."""
    return _read(data, columns, "\t")


def _read(data: bytes, columns: str, delimiter: str) -> Document:
    text, encoding = decode(data)
    declared = _DECLARED.match(text)
    start = declared.end() if declared else 0
    delimiter = declared[1] if declared else delimiter or _guessed(text)
    cells = _cells(text, start, delimiter)
    header: list[_Cell] = []
    rest: Iterator[_Cell] = iter(())
    for cell in cells:
        if cell.row:
            rest = chain([cell], cells)
            break
        header.append(cell)
    chosen, has_header = _chosen(columns, [cell.value.strip() for cell in header])
    translated = rest if has_header else chain(header, rest)
    parts = _parts(text, translated, delimiter, chosen)
    return Document(parts=tuple(parts), encoding=encoding)


def _guessed(text: str) -> str:
    """The most frequent delimiter outside of quotation marks in the first row."""
    found = _FIRST_RECORD.match(text)
    counts = Counter(_QUOTED.sub("", found[0]) if found else "")
    return max(_DELIMITERS, key=lambda delimiter: counts[delimiter])


def _cells(text: str, position: int, delimiter: str) -> Iterator[_Cell]:
    """All cells, as Python's `csv` finds them."""
    plain = re.compile(rf"[^{re.escape(delimiter)}\r\n]*+")
    end_of_row = re.compile(r"\r\n|\r|\n")
    row = column = 0
    while position < len(text):
        quoted = _QUOTED.match(text, position)
        if quoted is None and text.startswith('"', position):
            raise DocumentError(f"row {row + 1}: a quotation mark is not closed")
        behind = plain.match(text, quoted.end() if quoted else position)
        end = behind.end() if behind else position
        value = text[position:end]
        if quoted:
            value = quoted[0][1:-1].replace('""', '"') + text[quoted.end() : end]
        yield _Cell(
            row=row, column=column, start=position, end=end, value=value,
            is_quoted=quoted is not None,
        )  # fmt: skip
        newline = end_of_row.match(text, end)
        position = newline.end() if newline else end + 1
        row, column = (row + 1, 0) if newline else (row, column + 1)


def _chosen(columns: str, header: Sequence[str]) -> tuple[Collection[int] | None, bool]:
    """Indices of the chosen columns, None for all; and whether the first row names them.

    Raises:
        DocumentError: There is no such column.
    """
    wanted = [name.strip() for name in columns.split(",") if name.strip()]
    if not wanted:
        return None, True
    names = {name: index for index, name in reversed(list(enumerate(header)))}
    has_header = any(name in names for name in wanted)
    missing = [name for name in wanted if name not in names and not _number(name)]
    if missing:
        shown = ", ".join(name[:_SHOWN_CHARS] for name in header[:_SHOWN_NAMES])
        raise DocumentError(
            f"it has no column {missing[0][:_SHOWN_CHARS]!r}: its first row is {shown}; "
            "give these names, or numbers from 1"
        )
    return {names.get(name, _number(name) - 1) for name in wanted}, has_header


def _number(name: str) -> int:
    """A number from 1; 0 if it is none."""
    return int(name) if name.isdecimal() and len(name) <= len("16384") else 0


def _parts(
    text: str, cells: Iterator[_Cell], delimiter: str, chosen: Collection[int] | None
) -> Iterator[str | DocumentString]:
    position = 0
    for cell in cells:
        is_chosen = chosen is None or cell.column in chosen
        if not is_chosen or not is_translatable(cell.value):
            continue
        content = cell.value.strip()
        begin = cell.value.index(content)
        edges = cell.value[:begin], cell.value[begin + len(content) :]
        yield text[position : cell.start]
        yield DocumentString(
            text=content,
            original=text[cell.start : cell.end],
            render=partial(_written, edges=edges, delimiter=delimiter, is_quoted=cell.is_quoted),
        )
        position = cell.end
    yield text[position:]


def _written(translation: str, *, edges: tuple[str, str], delimiter: str, is_quoted: bool) -> str:
    """A cell; in quotation marks if it was so, or has to be."""
    value = f"{edges[0]}{translation}{edges[1]}"
    if (
        is_quoted
        or not value
        or any(character in value for character in (delimiter, '"', "\r", "\n"))
    ):
        return '"' + value.replace('"', '""') + '"'
    return value
