"""Models with random weights as Mozilla publishes them: files, names, layout, int8 and scales.

No weight is over 63: engines that sum in 16 bits do not saturate, and have to agree with the exact
sums of the graphs.
"""

import gzip
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
from numpy.typing import NDArray

from export.importers.firefox.lexicon import MAGIC
from tests.export.importers.marian.binary_models import (
    Item,
    float_item,
    intgemm8_item,
    marian_binary,
    text_item,
)

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

VOCABULARY = Path(__file__).parents[3] / "data" / "firefox" / "vocab.spm"
"""SentencePiece's, 104 pieces of the toy language, without rules of normalisation."""
LARGEST = 63
EMBEDDING_GAIN = 0.25
EMBEDDED_ALPHA = 17.0
"""Scale of the inputs of the first layers, embeddings with positions: up to 7.5."""
CONFIG: dict[str, Any] = {
    "type": "transformer",
    "dim-emb": 64,
    "enc-depth": 2,
    "dec-depth": 2,
    "transformer-heads": 8,
    "transformer-dim-ffn": 128,
    "transformer-ffn-depth": 2,
    "transformer-ffn-activation": "relu",
    "transformer-decoder-autoreg": "rnn",
    "dec-cell": "ssru",
    "transformer-no-projection": False,
    "transformer-guided-alignment-layer": "last",
    "transformer-preprocess": "",
    "transformer-postprocess": "dan",
    "transformer-postprocess-emb": "d",
    "transformer-postprocess-top": "",
    "transformer-tied-layers": [],
    "transformer-train-position-embeddings": False,
    "tied-embeddings-all": True,
    "lemma-dim-emb": 0,
    "version": "v1.9.56",
}


def save_model(
    folder: Path,
    *,
    is_split: bool = False,
    is_int8: bool = True,
    is_gzipped: bool = False,
    lexicon: Mapping[int, Sequence[int]] | None = None,
    changes: Mapping[str, Item | None] | None = None,
    end_bias: float = 3.0,
    scale_gain: float = 1.0,
    seed: int = 0,
    **config: object,
) -> Path:
    """A model's folder, from English to German.

    Args:
        folder: New.
        is_split: Source and target have vocabularies of their own.
        is_int8: As published; else float32.
        is_gzipped: All files are.
        lexicon: Target pieces by source piece; None: there is no lexicon.
        changes: Items in place of others, or None where they are left out.
        end_bias: What makes a translation come to an end.
        scale_gain: Factor of all activation scales.
        seed: Of the weights.
        config: Options of Marian, with `_` for `-`.
    """
    folder.mkdir(parents=True)
    options = CONFIG | {name.replace("_", "-"): value for name, value in config.items()}
    found = {item.name: item for item in _items(options, is_split, is_int8, end_bias, seed)}
    found |= {
        name: float_item(name, scale_gain * np.frombuffer(item.data, "<f4").reshape(item.shape))
        for name, item in found.items()
        if name.endswith("_QuantMultA")
    }
    found |= {name: item for name, item in (changes or {}).items() if item is not None}
    for name in [name for name, item in (changes or {}).items() if item is None]:
        del found[name]
    files = {"model.ende.intgemm.alphas.bin": marian_binary(list(found.values()))}
    names = ("srcvocab", "trgvocab") if is_split else ("vocab",)
    files |= {f"{name}.ende.spm": VOCABULARY.read_bytes() for name in names}
    if lexicon is not None:
        files["lex.50.50.ende.s2t.bin"] = lexicon_file(lexicon, num_pieces())
    for name, content in files.items():
        path = folder / (f"{name}.gz" if is_gzipped else name)
        path.write_bytes(gzip.compress(content) if is_gzipped else content)
    return folder


def num_pieces() -> int:
    """Pieces of the vocabulary."""
    return int(sentencepiece.SentencePieceProcessor(model_file=str(VOCABULARY)).vocab_size())


def lexicon_file(rows: Mapping[int, Sequence[int]], num_source: int, num_first: int = 10) -> bytes:
    """A lexicon in its binary form."""
    lists = [sorted(rows.get(i, [])) for i in range(num_source)]
    offsets = np.cumsum([0, *map(len, lists)]).astype("<u8")
    targets = np.array([target for row in lists for target in row], dtype="<u4")
    head = struct.pack("<6Q", MAGIC, 0, num_first, 50, len(offsets), len(targets))
    return head + offsets.tobytes() + targets.tobytes()


class _Writer:
    """Draws weights, and writes them in float32 or as intgemm8 with the scale of their input."""

    def __init__(self, seed: int, *, is_int8: bool) -> None:
        self.items: list[Item] = []
        self._random = np.random.default_rng(seed)
        self._is_int8 = is_int8

    def matrix(self, name: str, shape: tuple[int, int], alpha: float | None, gain: float) -> None:
        """A matrix [in, out], or an embedding [pieces, width]; None: no scale of its own."""
        drawn = self._random.normal(0, LARGEST / 3, shape)
        values = np.clip(np.rint(drawn), -LARGEST, LARGEST).astype(np.int8)
        multiplier = LARGEST / 3 / gain
        if not self._is_int8:
            self.items.append(float_item(name, values / multiplier))
            return
        stored = values if "Wemb" in name else np.ascontiguousarray(values.T)
        self.items.append(intgemm8_item(name, stored, shape, multiplier))
        if alpha is not None:
            self.floats(f"{name}_QuantMultA", np.full((1, 1), alpha))

    def floats(self, name: str, values: NDArray[np.floating]) -> None:
        """A tensor in float32."""
        self.items.append(float_item(name, values))

    def bias(self, name: str, width: int) -> None:
        """A bias [1, width]."""
        self.floats(name, self._random.normal(0, 0.1, (1, width)))

    def norm(self, name: str, width: int) -> None:
        """A normalisation."""
        self.floats(f"{name}_ln_scale", self._random.normal(1, 0.1, (1, width)))
        self.floats(f"{name}_ln_bias", self._random.normal(0, 0.1, (1, width)))


def _items(
    config: dict[str, Any], is_split: bool, is_int8: bool, end_bias: float, seed: int
) -> list[Item]:
    writer, pieces = _Writer(seed, is_int8=is_int8), num_pieces()
    d_model, d_ff = config["dim-emb"], config["transformer-dim-ffn"]
    for name in ("encoder_Wemb", "decoder_Wemb") if is_split else ("Wemb",):
        writer.matrix(name, (pieces, d_model), None, EMBEDDING_GAIN)
    if is_int8:
        writer.floats("none_QuantMultA", np.full((1, 1), 30.0))
    bias = np.random.default_rng(seed).normal(0, 0.5, (1, pieces))
    bias[0, :2] = end_bias, -20  # the unknown token, as in trained models
    writer.floats("decoder_ff_logit_out_b", bias)
    for i in range(1, config["enc-depth"] + 1):
        _attention(writer, f"encoder_l{i}_self", d_model)
        _feed_forward(writer, f"encoder_l{i}_ffn", d_model, d_ff)
    for i in range(1, config["dec-depth"] + 1):
        for part in ("W", "Wf"):
            alpha = EMBEDDED_ALPHA if i == 1 else 30.0
            writer.matrix(f"decoder_l{i}_rnn_{part}", (d_model, d_model), alpha, 0.2)
        writer.bias(f"decoder_l{i}_rnn_bf", d_model)
        writer.norm(f"decoder_l{i}_rnn_ffn", d_model)
        _attention(writer, f"decoder_l{i}_context", d_model)
        _feed_forward(writer, f"decoder_l{i}_ffn", d_model, d_ff)
    return [*writer.items, text_item("special:model.yml", yaml.safe_dump(config))]


def _attention(writer: _Writer, name: str, d_model: int) -> None:
    for letter in "qkvo":
        gain = 0.3 if letter in "qk" else 0.15
        # Queries of cross-attention have an input of their own, as the output has.
        alpha = 40.0 if letter == "o" else 28.0 if letter == "q" and "context" in name else 30.0
        if name == "encoder_l1_self" and letter != "o":
            alpha = EMBEDDED_ALPHA
        writer.matrix(f"{name}_W{letter}", (d_model, d_model), alpha, gain)
        writer.bias(f"{name}_b{letter}", d_model)
    writer.norm(f"{name}_Wo", d_model)


def _feed_forward(writer: _Writer, name: str, d_model: int, d_ff: int) -> None:
    for letter, shape, alpha in (("1", (d_model, d_ff), 30.0), ("2", (d_ff, d_model), 32.0)):
        writer.matrix(f"{name}_W{letter}", shape, alpha, 0.15)
        writer.bias(f"{name}_b{letter}", shape[1])
    writer.norm(f"{name}_ffn", d_model)


def yaml_of(config: Mapping[str, Any]) -> str:
    """A configuration as Marian writes it."""
    return str(yaml.safe_dump(dict(config)))
