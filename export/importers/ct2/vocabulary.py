"""The vocabularies of a CTranslate2 model: pieces by id, and the SentencePiece models."""

import json
from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError
from export.importers.ct2.folder import Folder
from export.importers.languages import target_tags
from export.importers.tokenizers.sentencepiece_files import find_sentencepiece_model
from export.importers.tokenizers.side_vocabulary import SideVocabulary, read_vocabulary

START = "<start>"
"""Follows the pieces where the decoder begins with zeros."""
_CONTROLS = ("<s>", "</s>", "<blank>", "<pad>")


def read_vocabularies(
    folder: Folder, *, starts_from_zero: bool
) -> tuple[SideVocabulary, SideVocabulary]:
    """Find and read the vocabularies of source and target.

    Args:
        folder: Folder of the model.
        starts_from_zero: The decoder begins with zeros: `START` follows the vocabularies.

    Raises:
        ExportError: They cannot be found or read, or a special piece is missing.
    """
    config = folder.config
    source = _read(folder, "source", [config.source_start, config.source_end], starts_from_zero)
    start = None if starts_from_zero else config.decoder_start
    return source, _read(folder, "target", [config.end, start], starts_from_zero)


def _read(
    folder: Folder, side: str, needed: Sequence[str | None], starts_from_zero: bool
) -> SideVocabulary:
    file, config = _vocabulary_file(folder.path, side), folder.config
    pieces = _pieces(file)
    missing = [piece for piece in needed if piece is not None and piece not in pieces]
    if missing:
        raise ExportError(f"{file} has no {' and no '.join(missing)}")
    more = [START] if starts_from_zero else []
    controls = [*_CONTROLS, config.end, config.source_start, config.decoder_start]
    numbered = read_vocabulary(
        (*pieces, *more),
        find_sentencepiece_model(folder.root, side),
        unknown=config.unknown,
        controls=[*filter(None, controls), *more, *target_tags(pieces).values()],
        location=str(file),
        is_target=side == "target",
    )
    return SideVocabulary(pieces=pieces, model=numbered.model, files=(file, *numbered.files))


def _vocabulary_file(folder: Path, side: str) -> Path:
    names = [f"{name}_vocabulary.{kind}" for name in ("shared", side) for kind in ("json", "txt")]
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise ExportError(f"{folder} has no {' or '.join(names)}")
    return found[0]


def _pieces(path: Path) -> tuple[str, ...]:
    try:
        # `read_text` would also end lines at characters that may be pieces.
        text = path.read_bytes().decode("utf-8")
        content = json.loads(text) if path.suffix == ".json" else None
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read, it may be cut short: {error}") from error
    if path.suffix == ".txt":
        return tuple(text.removesuffix("\n").split("\n"))
    if not isinstance(content, list):
        raise ExportError(f"{path} is no list of pieces")
    return tuple(map(str, content))
