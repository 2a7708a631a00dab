"""The files of a Firefox model in its folder, gzipped or not, and the languages in their names."""

import re
from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError

_PAIR = re.compile(r"^(?:model|vocab|srcvocab|trgvocab)\.([a-z]{4,6})\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """What a model consists of."""

    model: Path
    source_vocabulary: Path
    target_vocabulary: Path
    """The source's, where the sides share one."""
    lexicon: Path | None

    @property
    def languages(self) -> tuple[str, str] | None:
        """Codes as the model's name has them, as in `model.ende.intgemm.alphas.bin`."""
        found = _PAIR.match(self.model.name)
        return _split(found[1]) if found else None


def find_files(path: Path) -> ModelFiles:
    """The files of a model.

    Args:
        path: Its folder, or the file `model.*.bin` in it.

    Raises:
        ExportError: One is missing, or several could be meant.
    """
    if not path.exists():
        raise ExportError(f"{path} does not exist: name the folder with model.*.bin")
    folder = path if path.is_dir() else path.parent
    model = _only(folder, "model", "bin") if path.is_dir() else path
    if model is None:
        raise ExportError(f"{folder} has no model.*.bin: it is no model of Firefox")
    shared = _only(folder, "vocab", "spm")
    sides = [shared or _only(folder, name, "spm") for name in ("srcvocab", "trgvocab")]
    if sides[0] is None or sides[1] is None:
        raise ExportError(f"{folder} has no vocab.*.spm, nor srcvocab.*.spm and trgvocab.*.spm")
    return ModelFiles(
        model=model,
        source_vocabulary=sides[0],
        target_vocabulary=sides[1],
        lexicon=_only(folder, "lex", "bin"),
    )


def _only(folder: Path, name: str, suffix: str) -> Path | None:
    patterns = (f"{name}.*{suffix}", f"{name}.*{suffix}.gz")
    found = sorted({file for pattern in patterns for file in folder.glob(pattern)})
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise ExportError(f"{folder} has several files {name}.*.{suffix}: {names}; leave one")
    return found[0] if found else None


def _split(codes: str) -> tuple[str, str] | None:
    """`ende` -> `en`, `de`; a code of three letters is told by English on the other side."""
    if len(codes) % 2 == 0:
        half = len(codes) // 2
        return codes[:half], codes[half:]
    if codes.startswith("en") != codes.endswith("en"):
        return (codes[:2], codes[2:]) if codes.startswith("en") else (codes[:-2], codes[-2:])
    return None
