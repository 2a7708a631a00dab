"""Models with random weights as OpenNMT-py saves them: its names, its options, its pickles."""

import functools
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.data.toy_language import sentence_pairs
from tests.export.importers.spm_models import pieces, spm

SPECIALS = ("<unk>", "<blank>", "<s>", "</s>")
WIDTH = 32
INNER = 48
POSITIONS = 50
OPTIONS: dict[str, Any] = {
    "model_type": "text",
    "encoder_type": "transformer",
    "decoder_type": "transformer",
    "position_encoding": True,
    "max_relative_positions": 0,
    "self_attn_type": "scaled-dot",
    "heads": 2,
    "enc_layers": 2,
    "dec_layers": 2,
    "transformer_ff": INNER,
    "generator_function": "softmax",
    "copy_attn": False,
    "lambda_align": 0.0,
}
OPTIONS_OF_3: dict[str, Any] = {
    **OPTIONS,
    "model_task": "seq2seq",
    "self_attn_type": "scaled-dot-flash",
    "pos_ffn_activation_fn": "relu",
    "layer_norm": "standard",
    "norm_eps": 1e-6,
    "add_qkvbias": False,
    "add_ffnbias": False,
    "num_kv": 0,
    "multiquery": False,
    "parallel_residual": False,
    "sliding_window": 0,
    "num_experts": 0,
    "lora_layers": [],
    "lora_embedding": False,
    "quant_layers": [],
    "decoder_start_token": "<s>",
    "transforms": ["sentencepiece", "filtertoolong"],
    "_all_transform": {"sentencepiece", "filtertoolong"},
}
_DATA = "torchtext.data"
_TEXT = "onmt.inputters.text_dataset"
_MADE_UP = {
    f"{_DATA}.field": ("Field",),
    f"{_DATA}.utils": ("_split_tokenizer",),
    "torchtext.vocab": ("Vocab",),
    _TEXT: ("TextMultiField", "_feature_tokenize"),
}
"""What the pickles of versions before 3 name."""


def save_model(
    folder: Path,
    *,
    version: int = 3,
    vocabularies: str = "two spm",
    is_shared: bool = False,
    is_tied: bool = False,
    dtype: torch.dtype = torch.float32,
    end_bias: float = 4,
    seed: int = 0,
    **options: object,
) -> Path:
    """A folder with `model_step_20.pt`.

    Args:
        folder: New.
        version: 3 has lists of pieces and biases by option, 2 has fields and all biases.
        vocabularies: `two spm`, `one bpe`, or `words` without a SentencePiece model.
        is_shared: Source and target have one embedding.
        is_tied: The target's embedding is the generator.
        dtype: Of the weights.
        end_bias: What makes a translation come to an end.
        seed: Of the weights.
        options: Others than those of `OPTIONS` and `OPTIONS_OF_3`.
    """
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    said = {**(OPTIONS_OF_3 if version >= 3 else OPTIONS), **options}
    source, target = _save_vocabularies(folder, vocabularies)
    model = _model(said, len(source), len(target))
    if is_shared:
        model[_embedding("encoder")] = model[_embedding("decoder")]
    generator = {"weight": _random(len(target), WIDTH), "bias": torch.randn(len(target))}
    if is_tied:
        # Else a token would be followed by itself.
        generator["weight"] = model[_embedding("decoder")].mul_(0.2)
    else:
        generator["weight"][SPECIALS.index("</s>")] = 0
    generator["bias"][SPECIALS.index("</s>")] = end_bias
    prefix = "" if version >= 3 else "0."
    content: dict[str, Any] = {
        "model": {name: tensor.to(dtype) for name, tensor in model.items()},
        "generator": {f"{prefix}{name}": tensor.to(dtype) for name, tensor in generator.items()},
        "opt": Namespace(**said),
        "optim": None,
    }
    with _made_up() as made:
        content["vocab"] = (
            {"src": source, "tgt": target, "data_task": "seq2seq", "decoder_start_token": "<s>"}
            if version >= 3
            else {"src": _field(made, "src", source), "tgt": _field(made, "tgt", target)}
        )
        torch.save(content, folder / "model_step_20.pt")
    return folder


def _save_vocabularies(folder: Path, kind: str) -> tuple[list[str], list[str]]:
    """Special tokens first, then pieces: fewer or more than the SentencePiece model has."""
    if kind == "words":
        pairs = sentence_pairs(200, seed=5)
        words = [sorted({w for pair in pairs for w in pair[side].split()}) for side in (0, 1)]
        return [*SPECIALS, *words[0]], [*SPECIALS, *words[1]]
    if kind == "one bpe":
        model = spm(1, "bpe")
        (folder / "sentencepiece.model").write_bytes(model)
        both = _without_specials(model)
        return [*SPECIALS, *both], [*SPECIALS, *both]
    (folder / "source.spm").write_bytes(spm(0))
    (folder / "target.spm").write_bytes(spm(1))
    source, target = _without_specials(spm(0)), _without_specials(spm(1))
    return [*SPECIALS, *source[::-1][3:]], [*SPECIALS, *target, "averaged0", "averaged1"]


def _without_specials(model: bytes) -> list[str]:
    return [piece for piece in pieces(model) if piece not in SPECIALS]


def _embedding(side: str) -> str:
    return f"{side}.embeddings.make_embedding.emb_luts.0.weight"


def _model(options: Mapping[str, Any], num_source: int, num_target: int) -> dict[str, Tensor]:
    model: dict[str, Tensor] = {}
    sides = (
        ("encoder", "transformer", "enc_layers", num_source),
        ("decoder", "transformer_layers", "dec_layers", num_target),
    )
    for side, layers, depth, size in sides:
        model[_embedding(side)] = torch.randn(size, WIDTH) * 0.7
        model[f"{side}.embeddings.make_embedding.pe.pe"] = _sinusoids()
        for i in range(options[depth]):
            model |= _layer(f"{side}.{layers}.{i}", options, is_decoder=side == "decoder")
        model |= _norm(f"{side}.layer_norm")
    return model


def _sinusoids() -> Tensor:
    """[positions, 1, width], sines and cosines in turns."""
    places = torch.arange(POSITIONS)[:, None]
    rates = 10000 ** (-torch.arange(0, WIDTH, 2) / WIDTH)
    return torch.stack([(places * rates).sin(), (places * rates).cos()], dim=2).reshape(
        POSITIONS, 1, WIDTH
    )


def _layer(name: str, options: Mapping[str, Any], *, is_decoder: bool) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for attention in ("self_attn", *(["context_attn"] if is_decoder else [])):
        for part in ("linear_query", "linear_keys", "linear_values", "final_linear"):
            is_biased = options.get("add_qkvbias", True)
            tensors |= _linear(f"{name}.{attention}.{part}", (WIDTH, WIDTH), is_biased=is_biased)
    for part, shape in (("w_1", (INNER, WIDTH)), ("w_2", (WIDTH, INNER))):
        is_biased = options.get("add_ffnbias", True)
        tensors |= _linear(f"{name}.feed_forward.{part}", shape, is_biased=is_biased)
    for norm in ("layer_norm_1", "layer_norm_2") if is_decoder else ("layer_norm",):
        tensors |= _norm(f"{name}.{norm}")
    return {**tensors, **_norm(f"{name}.feed_forward.layer_norm")}


def _linear(name: str, shape: tuple[int, int], *, is_biased: bool) -> dict[str, Tensor]:
    bias = {f"{name}.bias": torch.randn(shape[0]) * 0.3} if is_biased else {}
    return {f"{name}.weight": _random(*shape), **bias}


def _norm(name: str) -> dict[str, Tensor]:
    return {
        f"{name}.weight": 1 + torch.randn(WIDTH) * 0.3,
        f"{name}.bias": torch.randn(WIDTH) * 0.3,
    }


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape) * 0.25


@contextmanager
def _made_up() -> Iterator[dict[str, Any]]:
    """Classes by the names that pickles know them by, in modules that are gone afterwards."""
    made: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        for module in dict.fromkeys(["onmt", "onmt.inputters", "torchtext", _DATA, *_MADE_UP]):
            patch.setitem(sys.modules, module, ModuleType(module))
        for module, names in _MADE_UP.items():
            for name in names:
                made[name] = type(name, (Namespace,), {"__module__": module})
                setattr(sys.modules[module], name, made[name])
        yield made


def _field(made: Mapping[str, Any], side: str, vocabulary: Sequence[str]) -> object:
    """As version 2 wraps a vocabulary; the field's own tokenizer is a function."""
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    field = made["Field"](
        vocab=made["Vocab"](itos=[*vocabulary], stoi=ids, vectors=None),
        tokenize=functools.partial(made["_feature_tokenize"], layer=0, feat_delim=None),
        dtype=torch.int64,
        lower=False,
    )
    return made["TextMultiField"](fields=[(side, field)], preprocessing=made["_split_tokenizer"])
