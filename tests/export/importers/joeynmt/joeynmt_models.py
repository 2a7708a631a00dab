"""Folders as JoeyNMT writes them, with random weights."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from model.transformer.positions import sinusoidal_positions
from tests.export.importers.spm_models import pieces, spm

SPECIALS = ("<unk>", "<pad>", "<s>", "</s>")
END = SPECIALS.index("</s>")
LETTERS = ("▁", *"abcdefghijklmnopqrstuvwxyz.,'äöüß")
WIDTH, INNER, LAYERS, LONGEST = 32, 48, 2, 64
_SELF_ATTENTION = {"encoder": "src_src_att", "decoder": "trg_trg_att"}
_NORMS = {"encoder": ("layer_norm",), "decoder": ("x_layer_norm", "dec_layer_norm")}


def save_model(
    folder: Path,
    *,
    level: str = "bpe",
    kind: str = "unigram",
    is_shared: bool = False,
    is_tied: bool = True,
    is_pre_norm: bool = True,
    is_old: bool = False,
    end_logit: float = 9,
    spread: float = 0.7,
    seed: int = 0,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """A folder with configuration, checkpoint and vocabularies.

    Args:
        folder: New.
        level: `bpe`, `char` or `word`.
        kind: Of the SentencePiece models, where `level` is `bpe`.
        is_shared: Source and target have one embedding.
        is_tied: The target's embedding is the output projection.
        is_pre_norm: Sub-layers begin with their normalisation.
        is_old: The configuration is that of version 1.
        end_logit: What makes a translation come to an end.
        spread: Of the embeddings.
        seed: Of the weights.
        changes: Of the configuration, by dotted names.
    """
    folder.mkdir(parents=True)
    source = _write_vocabulary(folder, "src", 0, level, kind)
    target = _write_vocabulary(folder, "trg", 0 if is_shared else 1, level, kind)
    config = _config(level, is_shared=is_shared, is_tied=is_tied, is_pre_norm=is_pre_norm)
    if is_old:
        config = _as_in_version_1(config)
    for name, value in (changes or {}).items():
        _change(config, name.split("."), value)
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    torch.manual_seed(seed)
    state = dict(_state(source, target, spread, is_pre_norm=is_pre_norm))
    if is_shared:
        state["trg_embed.lut.weight"] = state["src_embed.lut.weight"]
    if is_tied:
        state["decoder.output_layer.weight"] = state["trg_embed.lut.weight"]
    _let_end(state, end_logit, is_pre_norm=is_pre_norm)
    saved = {"model_state": state, "scaler_state": None, "stats_state": {"steps": 300}}
    torch.save(saved, folder / "best.ckpt")
    return folder


def _write_vocabulary(folder: Path, name: str, side: int, level: str, kind: str) -> int:
    """How many pieces there are; SentencePiece has some that the vocabulary lacks."""
    own = list(LETTERS if side else LETTERS[:-4])
    if level == "word":
        own = [f"word{letter}" for letter in own]
    elif level == "bpe":
        model = spm(side, kind)
        (folder / f"sp.{name}.model").write_bytes(model)
        own = [piece for piece in pieces(model) if piece not in SPECIALS][::-1]
        own = [piece for i, piece in enumerate(own) if i % 7 or len(piece) == 1]
    lines = [*SPECIALS, *own]
    text = "".join(f"{piece}\n" for piece in lines)
    (folder / f"{name}_vocab.txt").write_text(text, encoding="utf-8")
    return len(lines)


def _config(level: str, *, is_shared: bool, is_tied: bool, is_pre_norm: bool) -> dict[str, Any]:
    stack = {
        "type": "transformer",
        "num_layers": LAYERS,
        "num_heads": 2,
        "hidden_size": WIDTH,
        "ff_size": INNER,
        "layer_norm": "pre" if is_pre_norm else "post",
    }
    sides = {
        name: {**stack, "embeddings": {"embedding_dim": WIDTH, "scale": True}}
        for name in ("encoder", "decoder")
    }
    texts = {
        side: {
            "lang": language,
            "level": level,
            "tokenizer_cfg": {"model_file": f"elsewhere/sp.{side}.model"},
        }
        for side, language in (("src", "en"), ("trg", "de"))
    }
    tying = {"tied_embeddings": is_shared, "tied_softmax": is_tied}
    return {
        "joeynmt_version": "2.3.0",
        "data": texts,
        "model": {"initializer": "xavier_uniform", **tying, **sides},
    }


def _as_in_version_1(config: dict[str, Any]) -> dict[str, Any]:
    texts = config["data"]
    for stack in ("encoder", "decoder"):
        del config["model"][stack]["layer_norm"]
    flat = {side: texts[side]["lang"] for side in ("src", "trg")}
    return {"data": {**flat, "level": texts["src"]["level"], "lowercase": False}} | {
        "model": config["model"]
    }


def _change(config: dict[str, Any], names: list[str], value: Any) -> None:  # noqa: ANN401
    *path, last = names
    for name in path:
        config = config.setdefault(name, {})
    config[last] = value


def _state(
    source: int, target: int, spread: float, *, is_pre_norm: bool
) -> Iterator[tuple[str, Tensor]]:
    """In the order of the program, away from initial zeros and ones."""
    yield "src_embed.lut.weight", torch.randn(source, WIDTH) * spread
    yield "trg_embed.lut.weight", torch.randn(target, WIDTH) * spread
    for side in ("encoder", "decoder"):
        for i in range(LAYERS):
            yield from _layer(f"{side}.layers.{i}", side)
        yield f"{side}.pe.pe", sinusoidal_positions(LONGEST, WIDTH)[None]
        if is_pre_norm:
            yield from _norm(f"{side}.layer_norm")
    yield "decoder.output_layer.weight", torch.randn(target, WIDTH) * spread


def _layer(name: str, side: str) -> Iterator[tuple[str, Tensor]]:
    attentions = [_SELF_ATTENTION[side], *(["src_trg_att"] if side == "decoder" else [])]
    for attention in attentions:
        for part in ("k", "v", "q", "output"):
            yield from _linear(f"{name}.{attention}.{part}_layer", WIDTH, WIDTH)
    for norm in (*_NORMS[side], "feed_forward.layer_norm"):
        yield from _norm(f"{name}.{norm}")
    yield from _linear(f"{name}.feed_forward.pwff_layer.0", INNER, WIDTH)
    yield from _linear(f"{name}.feed_forward.pwff_layer.3", WIDTH, INNER)


def _linear(name: str, out: int, width: int) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.weight", torch.randn(out, width) * 3 / (out + width) ** 0.5
    yield f"{name}.bias", torch.randn(out) * 0.3


def _norm(name: str) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.weight", 1 + torch.randn(WIDTH) * 0.3
    yield f"{name}.bias", torch.randn(WIDTH) * 0.3


def _let_end(state: dict[str, Tensor], logit: float, *, is_pre_norm: bool) -> None:
    """There is no bias of the output: the last normalisation's does what one would do."""
    last = "layer_norm" if is_pre_norm else f"layers.{LAYERS - 1}.feed_forward.layer_norm"
    bias = state[f"decoder.{last}.bias"]
    state["decoder.output_layer.weight"][END] = bias * logit / bias.square().sum()
