"""The vocabularies of a CTranslate2 model: numbered pieces, and what cuts a text into them."""

import json
from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError
from export.importers.ct2_folder import Folder
from export.importers.cutters import find_cutter
from export.importers.languages import target_tags
from export.importers.side import Side, read_side

START = "<start>"
"""Stands behind the pieces where a decoder begins with nothing."""
_CONTROLS = ("<s>", "</s>", "<blank>", "<pad>")


def read_sides(folder: Folder, *, starts_from_zero: bool) -> tuple[Side, Side]:
    """Find and read the vocabularies of source and target.

    Args:
        folder: Of the model.
        starts_from_zero: Its decoder begins with nothing: `START` follows the vocabularies.

    Raises:
        ExportError: They cannot be found or read, or a piece is missing that has a meaning.
    """
    config = folder.config
    source = _read(folder, "source", [config.source_start, config.source_end], starts_from_zero)
    start = None if starts_from_zero else config.decoder_start
    return source, _read(folder, "target", [config.end, start], starts_from_zero)


def _read(folder: Folder, side: str, needed: Sequence[str | None], starts_from_zero: bool) -> Side:
    file, config = _vocabulary_file(folder.path, side), folder.config
    pieces = _pieces(file)
    missing = [piece for piece in needed if piece is not None and piece not in pieces]
    if missing:
        raise ExportError(f"{file} has no {' and no '.join(missing)}")
    more = [START] if starts_from_zero else []
    controls = [*_CONTROLS, config.end, config.source_start, config.decoder_start]
    numbered = read_side(
        (*pieces, *more),
        find_cutter(folder.root, side),
        unknown=config.unknown,
        controls=[*filter(None, controls), *more, *target_tags(pieces).values()],
        where=str(file),
        is_written=side == "target",
    )
    return Side(pieces=pieces, model=numbered.model, files=(file, *numbered.files))


def _vocabulary_file(folder: Path, side: str) -> Path:
    names = [f"{name}_vocabulary.{kind}" for name in ("shared", side) for kind in ("json", "txt")]
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise ExportError(f"{folder} has no {' or '.join(names)}")
    return found[0]


def _pieces(path: Path) -> tuple[str, ...]:
    try:
        # As it is: `read_text` would also end lines at characters that may be pieces.
        text = path.read_bytes().decode("utf-8")
        content = json.loads(text) if path.suffix == ".json" else None
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read, it may be cut short: {error}") from error
    if path.suffix == ".txt":
        return tuple(text.removesuffix("\n").split("\n"))
    if not isinstance(content, list):
        raise ExportError(f"{path} is no list of pieces")
    return tuple(map(str, content))
