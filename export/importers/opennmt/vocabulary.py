"""The vocabularies of an OpenNMT-py model: pieces of a SentencePiece model, or words."""

from export.errors import ExportError
from export.importers.opennmt.checkpoint import END, PADDING, START, UNKNOWN, Checkpoint
from export.importers.tokenizers.sentencepiece_files import find_sentencepiece_model
from export.importers.tokenizers.side_vocabulary import SideVocabulary, read_vocabulary


def read_vocabularies(checkpoint: Checkpoint) -> tuple[SideVocabulary, SideVocabulary]:
    """Number the pieces of source and target, with the SentencePiece models beside them if any.

    Raises:
        ExportError: A special piece is missing, or subwords have no SentencePiece model.
    """
    _check(checkpoint)
    return (
        _read(checkpoint, "source", checkpoint.source_pieces),
        _read(checkpoint, "target", checkpoint.target_pieces),
    )


def _read(checkpoint: Checkpoint, side: str, pieces: tuple[str, ...]) -> SideVocabulary:
    return read_vocabulary(
        pieces,
        find_sentencepiece_model(checkpoint.path.parent, side),
        unknown=UNKNOWN,
        controls=(PADDING, START, END, checkpoint.start),
        location=f"{checkpoint.path}, {side}",
        is_target=side == "target",
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
