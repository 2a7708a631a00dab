"""The SentencePiece models that lie beside a checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError
from export.importers.vocabulary import pieces_of, read_model

_SHORT = {"source": "src", "target": "tgt"}
_KINDS = ("spm", "model")
_NOT_SENTENCEPIECE = "bpe.model"
"""What subword-nmt calls its merges in packages of Argos Translate."""


def find_cutter(folder: Path, side: str) -> Path | None:
    """The one of a side by its name, else the only one that there is.

    Args:
        folder: Of the checkpoint.
        side: `source` or `target`.

    Raises:
        ExportError: There are several, and no name says whose they are.
    """
    names = [f"{name}.{kind}" for name in (side, _SHORT[side]) for kind in _KINDS]
    named = [folder / name for name in names if (folder / name).is_file()]
    found = named or sorted(path for kind in _KINDS for path in folder.glob(f"*.{kind}"))
    found = [path for path in found if path.name != _NOT_SENTENCEPIECE]
    if len(found) > 1 and not named:
        several = ", ".join(path.name for path in found)
        raise ExportError(
            f"{folder} has several SentencePiece models, {several}: call them source.spm and "
            "target.spm"
        )
    return found[0] if found else None


def read_cutter(path: Path, pieces: Sequence[str]) -> bytes:
    """A SentencePiece model that shall cut texts into the pieces of a vocabulary.

    Raises:
        ExportError: It cannot be read, or cuts into others.
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
