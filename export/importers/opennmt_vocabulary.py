"""The vocabularies of an OpenNMT-py model: pieces of a SentencePiece model, or words."""

from export.errors import ExportError
from export.importers.cutters import find_cutter
from export.importers.opennmt_checkpoint import END, PADDING, START, UNKNOWN, Checkpoint
from export.importers.side import Side, read_side


def read_sides(checkpoint: Checkpoint) -> tuple[Side, Side]:
    """Number the pieces of source and target, with the SentencePiece models beside them if any.

    Raises:
        ExportError: Pieces with a meaning are missing, or nothing cuts a text into the others.
    """
    _check(checkpoint)
    return (
        _read(checkpoint, "source", checkpoint.source_pieces),
        _read(checkpoint, "target", checkpoint.target_pieces),
    )


def _read(checkpoint: Checkpoint, side: str, pieces: tuple[str, ...]) -> Side:
    return read_side(
        pieces,
        find_cutter(checkpoint.path.parent, side),
        unknown=UNKNOWN,
        controls=(PADDING, START, END, checkpoint.start),
        where=f"{checkpoint.path}, {side}",
        is_written=side == "target",
    )


def _check(checkpoint: Checkpoint) -> None:
    source, target = checkpoint.source_pieces, checkpoint.target_pieces
    faults = [
        f"the {side} vocabulary has no {piece}"
        for side, pieces, wanted in (
            ("source", source, (UNKNOWN,)),
            ("target", target, (UNKNOWN, checkpoint.start, END)),
        )
        for piece in wanted
        if piece not in pieces
    ]
    if not faults and source.index(UNKNOWN) != target.index(UNKNOWN):
        faults.append(f"source and target number {UNKNOWN} differently")
    if faults:
        raise ExportError(f"{checkpoint.path}: {'; '.join(faults)}")
