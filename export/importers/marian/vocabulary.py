"""The vocabularies of a Marian model: SentencePiece models, or pieces numbered in YAML."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bundle.manifest import SpecialIds
from export.errors import ExportError
from export.importers.files.text_file import read_text
from export.importers.files.yaml_text import parse_yaml
from export.importers.languages import target_tags
from export.importers.tokenizers.renumbering import pieces_by_id, pieces_of, read_model, renumbered
from export.importers.tokenizers.side_vocabulary import SideVocabulary

END, UNKNOWN = "</s>", "<unk>"
START = "<start>"
"""Follows Marian's own pieces: its decoder begins with zeros."""
DECODER_NAME = "decoder.yml"
"""Marian's own configuration of a decoder, which names the vocabulary of each side."""


def read_vocabularies(model: Path) -> tuple[SideVocabulary, SideVocabulary]:
    """Find and read the vocabularies of source and target beside a model.

    Raises:
        ExportError: They cannot be found or read.
    """
    source, target = _find(model.parent)
    return (
        _read(source, model.parent / "source.spm", is_target=False),
        _read(target, model.parent / "target.spm", is_target=True),
    )


def _find(folder: Path) -> tuple[Path, Path]:
    configured = _configured(folder / DECODER_NAME)
    found = configured or sorted(
        path for kind in ("spm", "yml", "yaml") for path in folder.glob(f"*vocab*.{kind}")
    )
    if not found:
        raise ExportError(f"{folder} has no vocabulary: vocab.spm or vocab.yml")
    if len(found) > 2 or (len(found) == 2 and not configured):
        names = ", ".join(path.name for path in found)
        raise ExportError(
            f"{folder} has several vocabularies, {names}: say in {DECODER_NAME} which is whose, "
            "as in vocabs: [source, target]"
        )
    return found[0], found[-1]


def _configured(path: Path) -> list[Path]:
    if not path.is_file():
        return []
    content = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    names = content.get("vocabs") if isinstance(content, Mapping) else None
    return [path.parent / Path(str(name)).name for name in names or ()]


def _read(vocabulary: Path, model_file: Path, *, is_target: bool) -> SideVocabulary:
    """Read a vocabulary; one that only numbers pieces needs the SentencePiece model beside it."""
    files: tuple[Path, ...] = (vocabulary,)
    if vocabulary.suffix == ".spm":
        model = read_model(vocabulary)
        pieces = pieces_of(model)
    else:
        if not model_file.is_file():
            raise ExportError(
                f"{vocabulary} numbers pieces, and there is no {model_file.name} that cuts a text "
                "into them: only SentencePiece vocabularies are supported"
            )
        model, files = read_model(model_file), (vocabulary, model_file)
        pieces = _numbered_pieces(vocabulary)
    return side_vocabulary(pieces, model, files, is_target=is_target)


def side_vocabulary(
    pieces: Sequence[str], model: bytes, files: tuple[Path, ...], *, is_target: bool
) -> SideVocabulary:
    """The vocabulary of a side, with a piece for the start behind Marian's own.

    Args:
        pieces: Marian's, by id.
        model: The SentencePiece model that cuts into them.
        files: What was read, that of the vocabulary first.
        is_target: The vocabulary is the target's.

    Raises:
        ExportError: The end or the unknown token is missing.
    """
    missing = [piece for piece in (END, UNKNOWN) if piece not in pieces]
    if missing:
        raise ExportError(f"{files[0]} has no {' and no '.join(missing)}")
    controls = [END, START, "<s>", *target_tags(pieces).values()]
    model = renumbered(
        [*pieces, START], model, unknown=UNKNOWN, controls=controls, is_target=is_target
    )
    return SideVocabulary(pieces=tuple(pieces), model=model, files=files)


def special_ids(source: SideVocabulary, target: SideVocabulary) -> SpecialIds:
    """The ids of a Marian model's special tokens; `START` follows the target's pieces."""
    eos, source_end = target.pieces.index(END), source.pieces.index(END)
    return SpecialIds(
        pad=eos,
        unk=target.pieces.index(UNKNOWN),
        bos=len(target.pieces),
        eos=eos,
        source_end=None if source_end == eos else (source_end,),
    )


def _numbered_pieces(path: Path) -> list[str]:
    content = parse_yaml(read_text(path), str(path), as_strings=True)
    try:
        ids = {str(piece): int(number) for piece, number in content.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ExportError(f"{path} does not number pieces: {error}") from error
    return pieces_by_id(ids, len(ids), str(path))
