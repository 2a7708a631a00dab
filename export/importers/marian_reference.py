"""A Marian model as CTranslate2 reads and runs it, by a converter of its own."""

import tempfile
from pathlib import Path
from typing import Any

from ctranslate2.converters import MarianConverter

from export.importers.ct2_reference import CTranslate2Reference
from export.importers.marian_vocabulary import END, Side


class _Converter(MarianConverter):  # type: ignore[misc]
    """With the pieces that we read, and the rounding guard of Marian's normalisation."""

    def __init__(self, model: Path, vocabularies: list[Path], epsilon: float) -> None:
        super().__init__(str(model), [str(path) for path in vocabularies])
        self._epsilon = epsilon

    def _load(self) -> Any:  # noqa: ANN401
        spec = super()._load()
        spec.config.layer_norm_epsilon = self._epsilon
        return spec


class MarianReference(CTranslate2Reference):
    """Converts a model to a folder that is gone when it is loaded."""

    def __init__(self, model: Path, source: Side, target: Side, epsilon: float) -> None:
        """Convert and load a model; its vocabularies are as they were read."""
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
                vocab_size=target.num_own + 1,
                added_end=END,
                end=END,
            )


def _as_yaml(side: Side) -> str:
    """As the converter reads it, line by line."""
    lines = []
    for number, piece in enumerate(side.pieces):
        escaped = piece.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'"{escaped}": {number}\n')
    return "".join(lines)
