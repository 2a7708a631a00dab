"""The vocabularies of a JoeyNMT model: pieces of SentencePiece, characters or words."""

from pathlib import Path

from export.errors import ExportError
from export.importers.files.text_file import read_text
from export.importers.joeynmt.config import Specials, Text
from export.importers.tokenizers.construction import capitals_to_lower, sentencepiece_model
from export.importers.tokenizers.renumbering import limited_to, read_model, renumbered
from export.importers.tokenizers.side_vocabulary import SideVocabulary


def read_vocabulary(
    text: Text, specials: Specials, folder: Path, *, name: str, is_target: bool
) -> SideVocabulary:
    """Read the vocabulary of one side.

    Args:
        text: Configuration of the side.
        specials: Configuration of the special pieces.
        folder: Folder of the files.
        name: File of the vocabulary as JoeyNMT writes it.
        is_target: The vocabulary is the target's.

    Raises:
        ExportError: A file is missing, or the ids differ from the configuration's.
    """
    file = _vocabulary_file(text, folder, name)
    pieces = _pieces(file, specials)
    controls = (specials.pad_token, specials.bos_token, specials.eos_token)
    unknown = specials.unk_token
    if text.level == "bpe":
        model_file = folder / Path(text.tokenizer_cfg.model_file or "").name
        if text.lowercase:
            raise ExportError(f"{model_file} cuts texts in small letters, which is not supported")
        model = limited_to(pieces, read_model(model_file))
        model = renumbered(pieces, model, unknown=unknown, controls=controls, is_target=is_target)
        return SideVocabulary(pieces=pieces, model=model, files=(file, model_file))
    model = sentencepiece_model(
        pieces,
        unit="characters" if text.level == "char" else "words",
        unknown=unknown,
        controls=controls,
        replacements=capitals_to_lower(pieces) if text.lowercase else {},
    )
    return SideVocabulary(pieces=pieces, model=model, files=(file,))


def _vocabulary_file(text: Text, folder: Path, name: str) -> Path:
    """The file that JoeyNMT itself wrote, or the one that it was given."""
    named = [folder / Path(text.voc_file).name] if text.voc_file else []
    found = [path for path in (folder / name, *named) if path.is_file()]
    if not found:
        names = " and no ".join(dict.fromkeys(path.name for path in (folder / name, *named)))
        raise ExportError(f"{folder} has no {names}")
    return found[0]


def _pieces(file: Path, specials: Specials) -> tuple[str, ...]:
    """Pieces by id: special ones first, whether they are in the file or not."""
    lines = read_text(file).splitlines()  # as JoeyNMT splits them
    pieces = tuple(dict.fromkeys([*specials.ids(), *lines]))
    for piece, number in specials.ids().items():
        if pieces.index(piece) != number:
            raise ExportError(f"{file}: {piece} is {pieces.index(piece)}, not {number}")
    return pieces
