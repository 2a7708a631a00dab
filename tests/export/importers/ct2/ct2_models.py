"""Models with random weights, made of CTranslate2's own specifications and saved by them."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.export.importers.spm_models import pieces, spm

pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")

from ctranslate2.specs import TransformerSpec
from ctranslate2.specs.common_spec import Activation

D_MODEL, D_FF = 32, 48
SPECIALS = ("<unk>", "<blank>", "<s>", "</s>")
_DTYPES = ("float32", "int8", "int16", "int32", "float16")
_Array = np.ndarray[Any, np.dtype[Any]]


def save_model(
    folder: Path,
    *,
    vocabularies: str = "shared",
    tying: str = "all",
    quantization: str | None = None,
    activation: str = "RELU",
    num_layers: tuple[int, int] = (2, 2),
    num_heads: int = 2,
    positions: int = 0,
    scale: bool | float = True,
    starts_from_zero: bool = False,
    has_biases: bool = True,
    end_bias: float = 7,
    more_pieces: tuple[str, ...] = (),
    config: Mapping[str, object] | None = None,
    **more: Any,  # noqa: ANN401
) -> Path:
    """A model's folder.

    Args:
        folder: New.
        vocabularies: `shared`, or `two`.
        tying: `all`, `decoder` (the projection is the target's embedding) or `none`.
        quantization: As the converters of CTranslate2 know it.
        activation: By its name there.
        num_layers: Of encoder and decoder.
        num_heads: Of each.
        positions: Rows of a table; 0: sinusoids that are not stored.
        scale: Of embeddings; True: the root of the width.
        starts_from_zero: The decoder begins with nothing.
        has_biases: Linear layers have one.
        end_bias: What makes a translation come to an end.
        more_pieces: Of the vocabulary; no SentencePiece model knows them.
        config: Of `config.json`, besides what is the default.
        more: For the specification.
    """
    folder.mkdir(parents=True)
    spec = TransformerSpec.from_config(
        num_layers, num_heads, activation=Activation[activation], **more
    )
    sides = _save_cutters(folder, vocabularies, [*SPECIALS, *more_pieces])
    spec.register_source_vocabulary(sides[0])
    spec.register_target_vocabulary(sides[1])
    for name, value in (config or {}).items():
        setattr(spec.config, name, value)
    filler = _Filler(np.random.default_rng(0), has_biases=has_biases)
    filler.fill(spec, (len(sides[0]), len(sides[1])), positions)
    _tie(spec, tying)
    for side in (spec.encoder, spec.decoder):
        side.scale_embeddings = scale if isinstance(scale, bool) else np.float32(scale)
    spec.decoder.start_from_zero_embedding = starts_from_zero
    spec.decoder.projection.bias[sides[1].index("</s>")] = end_bias
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(folder))
    return folder


def save_package(folder: Path, **more: Any) -> Path:  # noqa: ANN401
    """As Argos Translate unpacks one of its packages."""
    model = save_model(folder / "model", **more)
    (model / "sentencepiece.model").rename(folder / "sentencepiece.model")
    said = {"package_version": "1.0", "argos_version": "1.0", "from_code": "en", "to_code": "de"}
    (folder / "metadata.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def save_variables(
    path: Path,
    variables: Mapping[str, _Array | np.generic],
    *,
    version: int = 6,
    spec: str = "TransformerSpec",
    revision: int = 7,
) -> None:
    """A model's file as programs of all ages wrote it, without aliases."""
    with path.open("wb") as file:
        file.write(struct.pack("<I", version) + _text(spec))
        file.write(struct.pack("<II", revision, len(variables)))
        for name, array in variables.items():
            file.write(_text(name) + struct.pack("<B", array.ndim))
            file.write(struct.pack(f"<{array.ndim}I", *array.shape))
            kind = _DTYPES.index(array.dtype.name)
            size = (kind, array.nbytes) if version >= 4 else (array.itemsize, array.size)
            file.write(struct.pack("<BI", *size) + array.tobytes())
        file.write(struct.pack("<I", 0))


def _text(text: str) -> bytes:
    content = text.encode() + b"\0"
    return struct.pack("<H", len(content)) + content


def _save_cutters(folder: Path, vocabularies: str, first: list[str]) -> tuple[list[str], list[str]]:
    """SentencePiece models as they lie beside one; returns pieces, as OpenNMT numbers them."""
    models = {"source.spm": spm(0), "target.spm": spm(1)}
    if vocabularies == "shared":
        models = {"sentencepiece.model": spm(1)}
    for name, model in models.items():
        (folder / name).write_bytes(model)
    sides = [
        [*first, *(piece for piece in reversed(pieces(model)) if piece not in first)]
        for model in models.values()
    ]
    return sides[0], sides[-1]


class _Filler:
    """Puts random weights where a specification wants some."""

    def __init__(self, random: np.random.Generator, *, has_biases: bool) -> None:
        self._random = random
        self._has_biases = has_biases

    def fill(self, spec: Any, vocab_sizes: tuple[int, int], positions: int) -> None:  # noqa: ANN401
        for stack in (spec.encoder, spec.decoder):
            for layer in stack.layer:
                self._layer(layer)
            for name in ("layer_norm", "layernorm_embedding"):
                if hasattr(stack, name):
                    self._norm(getattr(stack, name))
            if positions:
                stack.position_encodings.encodings = self._normal(0.7, positions, D_MODEL)
        spec.encoder.embeddings[0].weight = self._normal(0.3, vocab_sizes[0], D_MODEL)
        spec.decoder.embeddings.weight = self._normal(0.3, vocab_sizes[1], D_MODEL)
        spec.decoder.projection.weight = self._normal(0.3, vocab_sizes[1], D_MODEL)
        spec.decoder.projection.bias = self._normal(1, vocab_sizes[1])

    def _layer(self, layer: Any) -> None:  # noqa: ANN401
        attentions: list[tuple[Any, tuple[int, ...]]] = [(layer.self_attention, (3, 1))]
        if hasattr(layer, "attention"):
            attentions.append((layer.attention, (1, 2, 1)))
        for attention, parts in attentions:
            for linear, count in zip(attention.linear, parts, strict=True):
                self._linear(linear, count * D_MODEL, D_MODEL)
            self._norm(attention.layer_norm)
        self._linear(layer.ffn.linear_0, D_FF, D_MODEL)
        self._linear(layer.ffn.linear_1, D_MODEL, D_FF)
        self._norm(layer.ffn.layer_norm)

    def _linear(self, linear: Any, out: int, width: int) -> None:  # noqa: ANN401
        linear.weight = self._normal(0.25, out, width)
        if self._has_biases:
            linear.bias = self._normal(0.3, out)

    def _norm(self, norm: Any) -> None:  # noqa: ANN401
        norm.gamma = 1 + self._normal(0.3, D_MODEL)
        norm.beta = self._normal(0.3, D_MODEL)

    def _normal(self, spread: float, *shape: int) -> _Array:
        return self._random.normal(0, spread, shape).astype(np.float32)


def _tie(spec: Any, tying: str) -> None:  # noqa: ANN401
    if tying == "all":
        spec.encoder.embeddings[0].weight = spec.decoder.embeddings.weight
    if tying != "none":
        spec.decoder.projection.weight = spec.decoder.embeddings.weight
