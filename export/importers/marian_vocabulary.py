"""The vocabularies of a Marian model: SentencePiece models, or numbered pieces beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError
from export.importers.languages import target_tags
from export.importers.vocabulary import in_order_of, numbered, pieces_of, read_model
from export.importers.yaml_files import parse_yaml

END, UNKNOWN = "</s>", "<unk>"
START = "<start>"
"""Stands behind Marian's own pieces: its decoder begins with nothing."""
DECODER_NAME = "decoder.yml"
"""Marian's own note of which vocabulary is whose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The vocabulary of source or target."""

    pieces: tuple[str, ...]
    """Marian's, in the order of their ids."""
    model: bytes
    """A SentencePiece model with the same ids, and `START` behind them."""
    files: tuple[Path, ...]

    @property
    def num_own(self) -> int:
        """Ids that Marian knows."""
        return len(self.pieces)

    @property
    def eos(self) -> int:
        """Id of the end token."""
        return self.pieces.index(END)

    @property
    def unk(self) -> int:
        """Id of what is not in the vocabulary."""
        return self.pieces.index(UNKNOWN)


def read_sides(model: Path) -> tuple[Side, Side]:
    """Find and read the vocabularies of source and target beside a model.

    Raises:
        ExportError: They cannot be found or read.
    """
    source, target = _find(model.parent)
    return (
        _read(source, model.parent / "source.spm", is_written=False),
        _read(target, model.parent / "target.spm", is_written=True),
    )


def _find(folder: Path) -> tuple[Path, Path]:
    noted = _noted(folder / DECODER_NAME)
    found = noted or sorted(
        path for kind in ("spm", "yml", "yaml") for path in folder.glob(f"*vocab*.{kind}")
    )
    if not found:
        raise ExportError(f"{folder} has no vocabulary: vocab.spm or vocab.yml")
    if len(found) > 2 or (len(found) == 2 and not noted):
        names = ", ".join(path.name for path in found)
        raise ExportError(
            f"{folder} has several vocabularies, {names}: say in {DECODER_NAME} which is whose, "
            "as in vocabs: [source, target]"
        )
    return found[0], found[-1]


def _noted(path: Path) -> list[Path]:
    if not path.is_file():
        return []
    content = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    names = content.get("vocabs") if isinstance(content, Mapping) else None
    return [path.parent / Path(str(name)).name for name in names or ()]


def _read(vocabulary: Path, cutter: Path, *, is_written: bool) -> Side:
    """A vocabulary; `cutter` is the SentencePiece model beside one that only numbers pieces."""
    files: tuple[Path, ...] = (vocabulary,)
    if vocabulary.suffix == ".spm":
        model = read_model(vocabulary)
        pieces = pieces_of(model)
    else:
        if not cutter.is_file():
            raise ExportError(
                f"{vocabulary} numbers pieces, and there is no {cutter.name} that cuts a text into "
                "them: only SentencePiece vocabularies are supported"
            )
        model, files = read_model(cutter), (vocabulary, cutter)
        pieces = _numbered_pieces(vocabulary)
    missing = [piece for piece in (END, UNKNOWN) if piece not in pieces]
    if missing:
        raise ExportError(f"{vocabulary} has no {' and no '.join(missing)}")
    controls = [END, START, "<s>", *target_tags(pieces).values()]
    renumbered = in_order_of(
        [*pieces, START], model, unknown=UNKNOWN, controls=controls, is_written=is_written
    )
    return Side(pieces=tuple(pieces), model=renumbered, files=files)


def _numbered_pieces(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from error
    content = parse_yaml(text, str(path), as_strings=True)
    try:
        ids = {str(piece): int(number) for piece, number in content.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ExportError(f"{path} does not number pieces: {error}") from error
    return numbered(ids, len(ids), str(path))
