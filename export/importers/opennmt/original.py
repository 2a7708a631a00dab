"""Runs a model of OpenNMT-py with CTranslate2, which has a converter for it."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from ctranslate2.converters import OpenNMTPyConverter

from export.importers.ct2.original import CTranslate2Original
from export.importers.opennmt.checkpoint import END, Checkpoint

_GENERATOR = "generator."


class _Converter(OpenNMTPyConverter):  # type: ignore[misc]
    """Takes the epsilon of the model's own normalisation."""

    def __init__(self, model: Path, epsilon: float) -> None:
        super().__init__(str(model))
        self._epsilon = epsilon

    def _load(self) -> Any:  # noqa: ANN401
        with torch.serialization.safe_globals([argparse.Namespace]):
            spec = super()._load()
        spec.config.layer_norm_epsilon = self._epsilon
        return spec


class OpenNmtOriginal(CTranslate2Original):
    """Converts a model to a temporary folder, and loads it."""

    def __init__(self, checkpoint: Checkpoint, epsilon: float) -> None:
        """Convert and load a model with tensors and pieces that were read before."""
        with tempfile.TemporaryDirectory() as folder:
            plain, converted = Path(folder) / "model.pt", Path(folder) / "model"
            torch.save(_plain(checkpoint), plain)
            _Converter(plain, epsilon).convert(str(converted))
            super().__init__(
                converted,
                checkpoint.source_pieces,
                checkpoint.target_pieces,
                vocab_size=len(checkpoint.target_pieces),
                added_end=None,
                end=END,
            )


def _plain(checkpoint: Checkpoint) -> dict[str, Any]:
    """The checkpoint in the form of version 3: the converter cannot unpickle fields."""
    tensors = {name: torch.from_numpy(array) for name, array in checkpoint.tensors.items()}
    # The converter does not know "scaled-dot-flash", which computes the same.
    options = {**checkpoint.options, "self_attn_type": "scaled-dot"}
    options["decoder_start_token"] = checkpoint.start
    return {
        "model": {n: t for n, t in tensors.items() if not n.startswith(_GENERATOR)},
        "generator": {
            n.removeprefix(_GENERATOR): t for n, t in tensors.items() if n.startswith(_GENERATOR)
        },
        "vocab": {"src": [*checkpoint.source_pieces], "tgt": [*checkpoint.target_pieces]},
        "opt": argparse.Namespace(**options),
    }
