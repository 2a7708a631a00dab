"""The SentencePiece models beside a checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError
from export.importers.tokenizers.renumbering import pieces_of, read_model

_SHORT_NAMES = {"source": "src", "target": "tgt"}
_SUFFIXES = ("spm", "model")
_NOT_SENTENCEPIECE = "bpe.model"
"""Merges of subword-nmt, as packages of Argos Translate name them."""


def find_sentencepiece_model(folder: Path, side: str) -> Path | None:
    """The model named after a side, else the only one in the folder, if any.

    Args:
        folder: Folder of the checkpoint.
        side: `source` or `target`.

    Raises:
        ExportError: There are several, and no name says which side they belong to.
    """
    names = [f"{name}.{suffix}" for name in (side, _SHORT_NAMES[side]) for suffix in _SUFFIXES]
    named = [folder / name for name in names if (folder / name).is_file()]
    found = named or sorted(path for suffix in _SUFFIXES for path in folder.glob(f"*.{suffix}"))
    found = [path for path in found if path.name != _NOT_SENTENCEPIECE]
    if len(found) > 1 and not named:
        several = ", ".join(path.name for path in found)
        raise ExportError(
            f"{folder} has several SentencePiece models, {several}: call them source.spm and "
            "target.spm"
        )
    return found[0] if found else None


def read_matching_model(path: Path, pieces: Sequence[str]) -> bytes:
    """A SentencePiece model that has the pieces of a vocabulary.

    Raises:
        ExportError: It cannot be read, or most of its pieces are others.
    """
    model = read_model(path)
    own = pieces_of(model)
    common = set(pieces) & set(own)
    if 2 * len(common) < min(len(pieces), len(own)):
        raise ExportError(
            f"{path} cuts into other pieces than the model's: they have only {len(common)} of "
            f"{len(pieces)} in common"
        )
    return model
