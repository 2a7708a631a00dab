"""The vocabularies that a description of a state dict names."""

from pathlib import Path

from export.errors import ExportError
from export.importers.files.text_file import read_lines
from export.importers.tokenizers.construction import capitals_to_lower, sentencepiece_model
from export.importers.tokenizers.renumbering import pieces_of, read_model, renumbered
from export.importers.tokenizers.side_vocabulary import SideVocabulary
from export.importers.torch_module.description import Specials, Vocabulary


def read_vocabulary(
    vocabulary: Vocabulary, specials: Specials, folder: Path, *, is_target: bool
) -> SideVocabulary:
    """Read a vocabulary; characters and words become a SentencePiece model.

    Args:
        vocabulary: Its description.
        specials: Description of its special pieces.
        folder: Folder of its files.
        is_target: The vocabulary is the target's.

    Raises:
        ExportError: A file or a special piece is missing, or a piece stands there twice.
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
    return SideVocabulary(
        pieces=pieces,
        model=_numbered(vocabulary, model, pieces, specials.unknown, controls, is_target),
        files=tuple(path for path in (model_file, file) if path is not None),
    )


def _pieces(
    vocabulary: Vocabulary, model: bytes | None, folder: Path
) -> tuple[tuple[str, ...], Path | None]:
    """Pieces by id, and the file that they were read from, if any."""
    if isinstance(vocabulary.pieces, tuple):
        return vocabulary.pieces, None
    if vocabulary.pieces is None:
        if model is None:
            raise ExportError(f"{folder}: the description gives no pieces of a vocabulary")
        return tuple(pieces_of(model)), None
    file = folder / vocabulary.pieces
    return tuple(read_lines(file)), file


def _numbered(
    vocabulary: Vocabulary,
    model: bytes | None,
    pieces: tuple[str, ...],
    unknown: str,
    controls: tuple[str, ...],
    is_target: bool,
) -> bytes:
    if model is not None:
        return renumbered(pieces, model, unknown=unknown, controls=controls, is_target=is_target)
    lower = capitals_to_lower(pieces) if vocabulary.lower_case else {}
    return sentencepiece_model(
        pieces,
        unit="words" if vocabulary.cut == "words" else "characters",
        unknown=unknown,
        controls=controls,
        replacements=lower | vocabulary.replace,
    )
