"""The vocabularies that the description of a state dict names."""

from pathlib import Path

from export.errors import ExportError
from export.importers.plain_vocabulary import lower_cased, plain_vocabulary
from export.importers.side import Side
from export.importers.torch_description import Specials, Vocabulary
from export.importers.vocabulary import in_order_of, pieces_of, read_model


def read_side(
    vocabulary: Vocabulary, specials: Specials, folder: Path, *, is_written: bool
) -> Side:
    """Read it, and make a SentencePiece model of it where it is none.

    Args:
        vocabulary: What the description says of it.
        specials: Likewise.
        folder: Its files are there.
        is_written: It is the target's.

    Raises:
        ExportError: Something is missing, or the pieces are no vocabulary.
    """
    if (vocabulary.model is not None) != (vocabulary.cut == "sentencepiece"):
        raise ExportError(
            f"{folder}: cut = {vocabulary.cut!r} and model = {vocabulary.model!r} do not go "
            "together: a SentencePiece model is what cuts into sentencepiece, and nothing else"
        )
    model_file = None if vocabulary.model is None else folder / vocabulary.model
    model = None if model_file is None else read_model(model_file)
    pieces, file = _pieces(vocabulary, model, folder)
    controls = (specials.padding, specials.start, specials.end)
    missing = [piece for piece in (specials.unknown, *controls) if piece not in pieces]
    if missing:
        raise ExportError(f"{file or folder}: the vocabulary has no {', '.join(missing)}")
    return Side(
        pieces=pieces,
        model=_numbered(vocabulary, model, pieces, specials.unknown, controls, is_written),
        files=tuple(path for path in (model_file, file) if path is not None),
    )


def _pieces(
    vocabulary: Vocabulary, model: bytes | None, folder: Path
) -> tuple[tuple[str, ...], Path | None]:
    """With the file that they were read from, if any."""
    if isinstance(vocabulary.pieces, tuple):
        return vocabulary.pieces, None
    if vocabulary.pieces is None:
        if model is None:
            raise ExportError(f"{folder}: the description gives no pieces of a vocabulary")
        return tuple(pieces_of(model)), None
    file = folder / vocabulary.pieces
    try:
        # Not splitlines: it would also split at characters that may be pieces.
        lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{file} cannot be read: {error}") from error
    return tuple(lines), file


def _numbered(
    vocabulary: Vocabulary,
    model: bytes | None,
    pieces: tuple[str, ...],
    unknown: str,
    controls: tuple[str, ...],
    is_written: bool,
) -> bytes:
    if model is not None:
        return in_order_of(pieces, model, unknown=unknown, controls=controls, is_written=is_written)
    replaced = lower_cased(pieces) if vocabulary.lower_case else {}
    return plain_vocabulary(
        pieces,
        cut="words" if vocabulary.cut == "words" else "characters",
        unknown=unknown,
        controls=controls,
        replaced=replaced | vocabulary.replace,
    )
