"""The vocabulary of source or target: pieces by id, and the tokenizer that makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError
from export.importers.tokenizers.construction import sentencepiece_model
from export.importers.tokenizers.renumbering import renumbered
from export.importers.tokenizers.sentencepiece_files import read_matching_model

_SUBWORD_MARKS = {"▁": "SentencePiece", "￭": "pyonmttok", "@@": "subword-nmt"}
"""Marks that tell pieces from words, and the program that leaves them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideVocabulary:
    """Pieces of one side, and a SentencePiece model with their ids."""

    pieces: tuple[str, ...]
    """The checkpoint's, by id."""
    model: bytes
    """A SentencePiece model with the same ids, and perhaps more pieces behind them."""
    files: tuple[Path, ...]
    """The files that were read."""


def read_vocabulary(
    pieces: tuple[str, ...],
    model_file: Path | None,
    *,
    unknown: str,
    controls: Sequence[str],
    location: str,
    is_target: bool,
) -> SideVocabulary:
    """Number the pieces of a SentencePiece model, or words at white space.

    Args:
        pieces: The checkpoint's, by id.
        model_file: The SentencePiece model. None: there is none, and the pieces have to be words.
        unknown: Piece of the unknown token.
        controls: Pieces that never stand for text.
        location: Where the pieces were read, for error messages.
        is_target: The vocabulary is the target's.

    Raises:
        ExportError: The model has other pieces, or the pieces are no words.
    """
    if model_file is None:
        _check_words(pieces, location)
        words = sentencepiece_model(
            pieces, unit="words", unknown=unknown, controls=controls, replacements={}
        )
        return SideVocabulary(pieces=pieces, model=words, files=())
    model = renumbered(
        pieces,
        read_matching_model(model_file, pieces),
        unknown=unknown,
        controls=controls,
        is_target=is_target,
    )
    return SideVocabulary(pieces=pieces, model=model, files=(model_file,))


def _check_words(pieces: Sequence[str], location: str) -> None:
    for mark, program in _SUBWORD_MARKS.items():
        marked = sum(mark in piece for piece in pieces)
        if 10 * marked > len(pieces):
            raise ExportError(
                f"{location}: {marked} of {len(pieces)} pieces have {mark}, so {program} cut them, "
                "and no SentencePiece model lies beside: only those, or words at spaces, are "
                "supported"
            )
