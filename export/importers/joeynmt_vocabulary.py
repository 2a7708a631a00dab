"""The vocabularies of a JoeyNMT model: pieces of SentencePiece, characters or words."""

from pathlib import Path

from export.errors import ExportError
from export.importers.joeynmt_config import Specials, Text
from export.importers.plain_vocabulary import lower_cased, plain_vocabulary
from export.importers.side import Side
from export.importers.vocabulary import in_order_of, limited_to, read_model


def read_side(text: Text, specials: Specials, folder: Path, *, name: str, is_written: bool) -> Side:
    """Read the vocabulary of one side.

    Args:
        text: What the configuration says of it.
        specials: Likewise.
        folder: Where the files are.
        name: Of the vocabulary that JoeyNMT puts there.
        is_written: It is the target's.

    Raises:
        ExportError: Something is missing, or the pieces are no vocabulary.
    """
    file = _vocabulary_file(text, folder, name)
    pieces = _pieces(file, specials)
    controls = (specials.pad_token, specials.bos_token, specials.eos_token)
    unknown = specials.unk_token
    if text.level == "bpe":
        cutter = folder / Path(text.tokenizer_cfg.model_file or "").name
        if text.lowercase:
            raise ExportError(f"{cutter} cuts texts in small letters, which is not supported")
        model = limited_to(pieces, read_model(cutter))
        numbered = in_order_of(
            pieces, model, unknown=unknown, controls=controls, is_written=is_written
        )
        return Side(pieces=pieces, model=numbered, files=(file, cutter))
    numbered = plain_vocabulary(
        pieces,
        cut="characters" if text.level == "char" else "words",
        unknown=unknown,
        controls=controls,
        replaced=lower_cased(pieces) if text.lowercase else {},
    )
    return Side(pieces=pieces, model=numbered, files=(file,))


def _vocabulary_file(text: Text, folder: Path, name: str) -> Path:
    """What JoeyNMT itself wrote, or what it was given."""
    named = [folder / Path(text.voc_file).name] if text.voc_file else []
    found = [path for path in (folder / name, *named) if path.is_file()]
    if not found:
        names = " and no ".join(dict.fromkeys(path.name for path in (folder / name, *named)))
        raise ExportError(f"{folder} has no {names}")
    return found[0]


def _pieces(file: Path, specials: Specials) -> tuple[str, ...]:
    """In the order of their ids: special ones first, whether they are in the file or not."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{file} cannot be read: {error}") from error
    pieces = tuple(dict.fromkeys([*specials.ids(), *lines]))
    for piece, number in specials.ids().items():
        if pieces.index(piece) != number:
            raise ExportError(f"{file}: {piece} is {pieces.index(piece)}, not {number}")
    return pieces
