"""The vocabulary of source or target, as an importer has read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError
from export.importers.cutters import read_cutter
from export.importers.plain_vocabulary import plain_vocabulary
from export.importers.vocabulary import in_order_of

_CUT_MARKS = {"▁": "SentencePiece", "￭": "pyonmttok", "@@": "subword-nmt"}
"""What tells pieces from words, and who leaves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Pieces, and what cuts a text into them."""

    pieces: tuple[str, ...]
    """The foreign vocabulary's, in the order of their ids."""
    model: bytes
    """A SentencePiece model with the same ids."""
    files: tuple[Path, ...]


def read_side(
    pieces: tuple[str, ...],
    cutter: Path | None,
    *,
    unknown: str,
    controls: Sequence[str],
    where: str,
    is_written: bool,
) -> Side:
    """Number what a SentencePiece model cuts, or words at white space.

    Args:
        pieces: The foreign vocabulary's, in the order of their ids.
        cutter: The SentencePiece model. None: there is none, and the pieces have to be words.
        unknown: Which of the pieces stands for what is not among them.
        controls: Which of them are no text.
        where: Where the pieces were read, for people.
        is_written: They are the target's.

    Raises:
        ExportError: The cutter cannot be used, or the pieces are no words.
    """
    if cutter is None:
        _check_words(pieces, where)
        words = plain_vocabulary(
            pieces, cut="words", unknown=unknown, controls=controls, replaced={}
        )
        return Side(pieces=pieces, model=words, files=())
    model = in_order_of(
        pieces,
        read_cutter(cutter, pieces),
        unknown=unknown,
        controls=controls,
        is_written=is_written,
    )
    return Side(pieces=pieces, model=model, files=(cutter,))


def _check_words(pieces: Sequence[str], where: str) -> None:
    for mark, program in _CUT_MARKS.items():
        marked = sum(mark in piece for piece in pieces)
        if 10 * marked > len(pieces):
            raise ExportError(
                f"{where}: {marked} of {len(pieces)} pieces have {mark}, so {program} cut them, "
                "and no SentencePiece model lies beside: only those, or words at spaces, are "
                "supported"
            )
