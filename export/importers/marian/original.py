"""Runs a Marian model with CTranslate2, which has a converter for it."""

import tempfile
from pathlib import Path
from typing import Any

from ctranslate2.converters import MarianConverter

from export.importers.ct2.original import CTranslate2Original
from export.importers.marian.vocabulary import END
from export.importers.tokenizers.side_vocabulary import SideVocabulary


class _Converter(MarianConverter):  # type: ignore[misc]
    """Takes vocabularies as files of pieces, and the epsilon of Marian's normalisation."""

    def __init__(self, model: Path, vocabularies: list[Path], epsilon: float) -> None:
        super().__init__(str(model), [str(path) for path in vocabularies])
        self._epsilon = epsilon

    def _load(self) -> Any:  # noqa: ANN401
        spec = super()._load()
        spec.config.layer_norm_epsilon = self._epsilon
        return spec


class MarianOriginal(CTranslate2Original):
    """Converts a model to a temporary folder, and loads it."""

    def __init__(
        self, model: Path, source: SideVocabulary, target: SideVocabulary, epsilon: float
    ) -> None:
        """Convert and load a model with vocabularies that were read before."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / "source.yml", Path(folder) / "target.yml"]
            for path, side in zip(paths, (source, target), strict=True):
                path.write_text(_as_yaml(side), encoding="utf-8")
            converted = Path(folder) / "model"
            _Converter(model, paths, epsilon).convert(str(converted))
            super().__init__(
                converted,
                source.pieces,
                target.pieces,
                vocab_size=len(target.pieces) + 1,
                added_end=END,
                end=END,
            )


def _as_yaml(side: SideVocabulary) -> str:
    """Pieces and ids in the YAML that the converter reads, which it does line by line."""
    lines = []
    for number, piece in enumerate(side.pieces):
        escaped = piece.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'"{escaped}": {number}\n')
    return "".join(lines)
