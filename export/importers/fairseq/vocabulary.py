"""The vocabularies of a fairseq model: dictionaries, and SentencePiece models beside them."""

from dataclasses import replace
from pathlib import Path

from export.errors import ExportError
from export.importers.files.text_file import read_lines
from export.importers.tokenizers.sentencepiece_files import find_sentencepiece_model
from export.importers.tokenizers.side_vocabulary import SideVocabulary, read_vocabulary

START, PADDING, END, UNKNOWN = SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
"""Symbols that come before those in the file of a dictionary."""
_OVERWRITE = "#fairseq:overwrite"
"""Follows a symbol that replaces an earlier one of the same name."""


def read_dictionary(path: Path, side: str) -> SideVocabulary:
    """Read a dictionary, and the SentencePiece model beside it if there is one.

    Args:
        path: Such as `dict.en.txt`.
        side: `source` or `target`.

    Raises:
        ExportError: It cannot be read, or subwords have no SentencePiece model.
    """
    pieces = _symbols(path)
    found = read_vocabulary(
        pieces,
        find_sentencepiece_model(path.parent, side),
        unknown=UNKNOWN,
        controls=(START, PADDING, END),
        location=str(path),
        is_target=side == "target",
    )
    return replace(found, files=(path, *found.files))


def _symbols(path: Path) -> tuple[str, ...]:
    """Symbols by id; a line is a symbol and its count."""
    symbols = list(SPECIALS)
    for number, line in enumerate(read_lines(path), 1):
        symbol, _, count = line.removesuffix(f" {_OVERWRITE}").rpartition(" ")
        if not symbol or not count.isdecimal():
            raise ExportError(f"{path}, line {number} is no symbol and its count: {line!r}")
        symbols.append(symbol)
    return tuple(symbols)
