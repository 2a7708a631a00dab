"""Models with random weights as Marian saves them: its names, its layout, its configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.export.importers.spm_models import pieces, spm

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

CONFIG: dict[str, Any] = {
    "type": "transformer",
    "dim-emb": 32,
    "enc-depth": 2,
    "dec-depth": 2,
    "transformer-heads": 2,
    "transformer-dim-ffn": 48,
    "transformer-ffn-depth": 2,
    "transformer-ffn-activation": "swish",
    "transformer-decoder-autoreg": "self-attention",
    "transformer-no-projection": False,
    "transformer-guided-alignment-layer": "last",
    "transformer-preprocess": "",
    "transformer-postprocess": "dan",
    "transformer-postprocess-emb": "d",
    "transformer-postprocess-top": "",
    "transformer-tied-layers": [],
    "transformer-train-position-embeddings": False,
    "lemma-dim-emb": 0,
    "version": "v1.12.0",
}
PRE_NORM = {
    "transformer-preprocess": "n",
    "transformer-postprocess": "da",
    "transformer-postprocess-top": "n",
}
CONFIG_NAME = "special:model.yml"
Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


def save_model(
    folder: Path,
    *,
    tying: str = "all",
    vocabularies: str = "one spm",
    has_positions: bool = False,
    end_bias: float = 4,
    seed: int = 0,
    **config: object,
) -> Path:
    """A checkpoint's folder.

    Args:
        folder: New.
        tying: `all`, `decoder` (the output is the target's embedding) or `none`.
        vocabularies: `one spm`, `two spm`, or `yml`, where SentencePiece models only cut.
        has_positions: Learnt ones, instead of sinusoids.
        end_bias: What makes a translation come to an end.
        seed: Of the weights.
        config: Options of Marian, with `_` for `-`.
    """
    folder.mkdir(parents=True)
    sizes = _save_vocabularies(folder, vocabularies)
    arrays = model_arrays(sizes, tying=tying, end_bias=end_bias, seed=seed, **config)
    if has_positions:
        positions = np.random.default_rng(seed).normal(0, 0.7, (40, 32))
        arrays["Wpos"] = positions.astype(np.float32)
    save_arrays(folder / "model.npz", arrays)
    return folder


def model_arrays(
    sizes: tuple[int, int],
    *,
    tying: str = "all",
    end_bias: float = 4,
    seed: int = 0,
    **config: object,
) -> Arrays:
    """Arrays of a model, its configuration among them; arguments as for `save_model`.

    Args:
        sizes: Pieces of source and target.
        tying: See there, as of the others.
        end_bias: For id 0.
        seed: Of the weights.
        config: Options.
    """
    options = CONFIG | {name.replace("_", "-"): value for name, value in config.items()}
    arrays = _arrays(options, sizes, tying, np.random.default_rng(seed))
    arrays["decoder_ff_logit_out_b"][0, 0] = end_bias
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    text = yaml.safe_dump(options) + "\0"
    return arrays | {CONFIG_NAME: np.frombuffer(text.encode(), dtype=np.int8)}


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """A NumPy archive."""
    np.savez(path, allow_pickle=False, **arrays)


def _save_vocabularies(folder: Path, kind: str) -> tuple[int, int]:
    source, target = spm(0), spm(1)
    if kind == "one spm":
        (folder / "vocab.spm").write_bytes(target)
        return len(pieces(target)), len(pieces(target))
    if kind == "two spm":
        names = ("vocab.en.spm", "vocab.de.spm")
        for name, model in zip(names, (source, target), strict=True):
            (folder / name).write_bytes(model)
        note = yaml.safe_dump({"vocabs": [f"/elsewhere/{name}" for name in names]})
        (folder / "decoder.yml").write_text(note, encoding="utf-8")
        return len(pieces(source)), len(pieces(target))
    (folder / "source.spm").write_bytes(source)
    (folder / "target.spm").write_bytes(target)
    both = sorted({*pieces(source), *pieces(target), "null", "1.5", "#", ":"} - {"</s>", "<unk>"})
    ids = {piece: i for i, piece in enumerate(["</s>", "<unk>", *both])}
    (folder / "opus.vocab.yml").write_text(yaml.safe_dump(ids, allow_unicode=True), "utf-8")
    return len(ids), len(ids)


def _arrays(
    config: dict[str, Any], sizes: tuple[int, int], tying: str, random: np.random.Generator
) -> Arrays:
    d_model, d_ff = config["dim-emb"], config["transformer-dim-ffn"]
    is_pre = config["transformer-preprocess"] == "n"
    arrays: Arrays = {}
    for side, depth in (("encoder", config["enc-depth"]), ("decoder", config["dec-depth"])):
        for i in range(1, depth + 1):
            _attention(arrays, f"{side}_l{i}_self", d_model, is_pre, random)
            if side == "decoder":
                _attention(arrays, f"{side}_l{i}_context", d_model, is_pre, random)
            _feed_forward(arrays, f"{side}_l{i}_ffn", (d_model, d_ff), is_pre, random)
        if is_pre:
            _norm(arrays, f"{side}_top", "", d_model, random)
    _embeddings(arrays, sizes, d_model, tying, random)
    return arrays


def _embeddings(
    arrays: Arrays, sizes: tuple[int, int], d_model: int, tying: str, random: np.random.Generator
) -> None:
    if tying == "all":
        arrays["Wemb"] = random.normal(0, 0.3, (sizes[1], d_model))
    else:
        arrays["encoder_Wemb"] = random.normal(0, 0.3, (sizes[0], d_model))
        arrays["decoder_Wemb"] = random.normal(0, 0.3, (sizes[1], d_model))
    if tying == "none":
        arrays["decoder_ff_logit_out_W"] = random.normal(0, 0.3, (d_model, sizes[1]))
    arrays["decoder_ff_logit_out_b"] = random.normal(0, 1, (1, sizes[1]))


def _attention(
    arrays: Arrays, name: str, d_model: int, is_pre: bool, random: np.random.Generator
) -> None:
    for letter in "qkvo":
        arrays[f"{name}_W{letter}"] = random.normal(0, 0.25, (d_model, d_model))
        arrays[f"{name}_b{letter}"] = random.normal(0, 0.3, (1, d_model))
    _norm(arrays, f"{name}_Wo", "_pre" if is_pre else "", d_model, random)


def _feed_forward(
    arrays: Arrays, name: str, sizes: tuple[int, int], is_pre: bool, random: np.random.Generator
) -> None:
    for letter, shape in (("1", sizes), ("2", sizes[::-1])):
        arrays[f"{name}_W{letter}"] = random.normal(0, 0.25, shape)
        arrays[f"{name}_b{letter}"] = random.normal(0, 0.3, (1, shape[1]))
    _norm(arrays, f"{name}_ffn", "_pre" if is_pre else "", sizes[0], random)


def _norm(
    arrays: Arrays, name: str, suffix: str, d_model: int, random: np.random.Generator
) -> None:
    arrays[f"{name}_ln_scale{suffix}"] = random.normal(1, 0.3, (1, d_model))
    arrays[f"{name}_ln_bias{suffix}"] = random.normal(0, 0.3, (1, d_model))
