"""The vocabularies of a fairseq model: dictionaries, and what cuts a text into their symbols."""

from dataclasses import replace
from pathlib import Path

from export.errors import ExportError
from export.importers.cutters import find_cutter
from export.importers.side import Side, read_side

START, PADDING, END, UNKNOWN = SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
"""They come before what is in the file of a dictionary."""
_OVERWRITE = "#fairseq:overwrite"
"""Behind a symbol that stands for an earlier one of the same name."""


def read_dictionary(path: Path, side: str) -> Side:
    """Read a dictionary, and the SentencePiece model beside it if there is one.

    Args:
        path: Of `dict.en.txt`.
        side: `source` or `target`.

    Raises:
        ExportError: It cannot be read, or nothing cuts a text into its symbols.
    """
    pieces = _symbols(path)
    found = read_side(
        pieces,
        find_cutter(path.parent, side),
        unknown=UNKNOWN,
        controls=(START, PADDING, END),
        where=str(path),
        is_written=side == "target",
    )
    return replace(found, files=(path, *found.files))


def _symbols(path: Path) -> tuple[str, ...]:
    """In the order of their ids; a line is a symbol and how often it was seen."""
    try:
        # Not splitlines: it would also split at characters that may be symbols.
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from error
    symbols = list(SPECIALS)
    for number, line in enumerate(lines, 1):
        symbol, _, count = line.removesuffix(f" {_OVERWRITE}").rpartition(" ")
        if not symbol or not count.isdecimal():
            raise ExportError(f"{path}, line {number} is no symbol and its count: {line!r}")
        symbols.append(symbol)
    return tuple(symbols)
