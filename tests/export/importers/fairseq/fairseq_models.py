"""Models with random weights as fairseq saves them: its names, its options, its dictionaries."""

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.data.toy_language import sentence_pairs
from tests.export.importers.spm_models import pieces, spm

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
PAD, END = SPECIALS.index("<pad>"), SPECIALS.index("</s>")
POSITIONS = 40
SIZES = {"embed_dim": 32, "ffn_embed_dim": 48, "layers": 2, "attention_heads": 2}
OPTIONS: dict[str, Any] = {
    "arch": "transformer_iwslt_de_en",
    "task": "translation",
    "source_lang": "en",
    "target_lang": "de",
    "activation_fn": "relu",
    "encoder_normalize_before": False,
    "decoder_normalize_before": False,
    "encoder_learned_pos": False,
    "decoder_learned_pos": False,
    "share_all_embeddings": False,
    "share_decoder_input_output_embed": True,
    "adaptive_softmax_cutoff": None,
    "max_source_positions": POSITIONS,
    "max_target_positions": POSITIONS,
    "data": "data-bin",
    **{f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in SIZES.items()},
}
_TRAINING: dict[str, Any] = {
    "criterion": None,
    "optimizer_history": [
        {
            "criterion_name": "LabelSmoothedCrossEntropyCriterion",
            "optimizer_name": "FairseqAdam",
            "lr_scheduler_state": {"best": None},
            "num_updates": 20,
        }
    ],
    "task_state": {},
    "extra_state": {"train_iterator": {"epoch": 2}, "val_loss": 1.5},
    "last_optimizer_state": None,
}
State = dict[str, Tensor]


def save_model(
    folder: Path,
    *,
    form: str = "cfg",
    vocabularies: str = "two spm",
    tensors: Mapping[str, Tensor] | None = None,
    end: float = 3,
    spread: float = 1,
    seed: int = 0,
    **options: object,
) -> Path:
    """A folder with `checkpoint_best.pt`.

    Args:
        folder: New.
        form: Where the options are: `args` as in early versions, `cfg` with `args` in it, `groups`
            of a configuration, or `early`: as `args`, with the tensors' names of 2018.
        vocabularies: `two spm`, `one bpe` or `words`.
        tensors: More of them.
        end: What the end token's row is multiplied with: so it is likely now and then.
        spread: What weights of layers are multiplied with.
        seed: Of the weights.
        options: Others than those of `OPTIONS`.
    """
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    said = {**OPTIONS, **options}
    sizes = _save_dictionaries(folder, vocabularies)
    state = _state(said, sizes)
    state["decoder.output_projection.weight"][END] *= end
    for name in state:
        if ".layers." in name and state[name].dim() == 2:
            state[name] *= spread
    state |= dict(tensors or {})
    state = dict(_early(state)) if form == "early" else state
    content = {**_TRAINING, "model": state, **_saved_options(said, form)}
    torch.save(content, folder / "checkpoint_best.pt")
    return folder


def change(path: Path, **parts: object) -> None:
    """Replace parts of a saved checkpoint."""
    file = path / "checkpoint_best.pt"
    with torch.serialization.safe_globals([Namespace]):
        content = torch.load(file, weights_only=True)
    torch.save({**content, **parts}, file)


def state_of(path: Path) -> State:
    """The tensors of a saved checkpoint."""
    with torch.serialization.safe_globals([Namespace]):
        found: State = torch.load(path / "checkpoint_best.pt", weights_only=True)["model"]
    return found


def _saved_options(said: dict[str, Any], form: str) -> dict[str, Any]:
    if form in ("args", "early"):
        return {"args": Namespace(**said)}
    task = {"_name": said["task"], "source_lang": "en", "target_lang": "de"}
    config: dict[str, Any] = {"task": task, "model": Namespace(**said), "bpe": None}
    if form == "groups":
        config["model"] = {"_name": "transformer", **_grouped(said)}
    return {"args": None, "cfg": config}


def _grouped(said: Mapping[str, Any]) -> dict[str, Any]:
    groups: dict[str, Any] = {"encoder": {}, "decoder": {}}
    for name, value in said.items():
        side, _, rest = name.partition("_")
        where = groups.get(side, groups)
        where[rest if side in groups else name] = value
    return {n: v for n, v in groups.items() if n not in ("arch", "task")}


def _save_dictionaries(folder: Path, kind: str) -> tuple[int, int]:
    if kind == "words":
        texts = list(zip(*sentence_pairs(200, seed=5), strict=True))
        symbols = [sorted({word for text in side for word in text.split()}) for side in texts]
    elif kind == "one bpe":
        (folder / "sentencepiece.bpe.model").write_bytes(spm(1, "bpe"))
        symbols = [_symbols(spm(1, "bpe"))] * 2
    else:
        for side, name in enumerate(("source", "target")):
            (folder / f"{name}.spm").write_bytes(spm(side))
        symbols = [_symbols(spm(0)), _symbols(spm(1))]
    for language, found in zip(("en", "de"), symbols, strict=True):
        filled = [*found, *(f"madeupword{i:04}" for i in range(-(len(found) + 4) % 8))]
        lines = (f"{symbol} {len(filled) - i}\n" for i, symbol in enumerate(filled))
        (folder / f"dict.{language}.txt").write_text("".join(lines), encoding="utf-8")
    sizes = [len(SPECIALS) + len(found) + -(len(found) + 4) % 8 for found in symbols]
    return sizes[0], sizes[1]


def _symbols(model: bytes) -> list[str]:
    """As often as they are seen, which is another order than the model's."""
    return sorted(set(pieces(model)) - {*SPECIALS}, key=lambda piece: piece[::-1])


def _state(said: Mapping[str, Any], sizes: Sequence[int]) -> State:
    state: State = {}
    for side, size in zip(("encoder", "decoder"), sizes, strict=True):
        width = said[f"{side}_embed_dim"]
        state[f"{side}.version"] = torch.tensor([3.0])
        state[f"{side}.embed_tokens.weight"] = _table(size, width)
        if said[f"{side}_learned_pos"]:
            state[f"{side}.embed_positions.weight"] = torch.randn(POSITIONS + PAD + 1, width) * 0.5
        for i in range(said[f"{side}_layers"]):
            state |= _layer(f"{side}.layers.{i}", said[f"{side}_ffn_embed_dim"], width, side)
        if said.get("layernorm_embedding"):
            state |= _norm(f"{side}.layernorm_embedding", width)
        if said[f"{side}_normalize_before"] and not said.get(f"no_{side}_final_norm"):
            state |= _norm(f"{side}.layer_norm", width)
    if said["share_all_embeddings"]:
        state["encoder.embed_tokens.weight"] = state["decoder.embed_tokens.weight"]
    state["decoder.output_projection.weight"] = state["decoder.embed_tokens.weight"]
    if not (said["share_all_embeddings"] or said["share_decoder_input_output_embed"]):
        state["decoder.output_projection.weight"] = _table(sizes[1], said["decoder_embed_dim"])
    return state


def _table(size: int, width: int) -> Tensor:
    table = torch.randn(size, width) * 0.3
    table[PAD] = 0
    return table


def _layer(name: str, inner: int, width: int, side: str) -> State:
    state = {
        **_linear(f"{name}.fc1", inner, width),
        **_linear(f"{name}.fc2", width, inner),
        **_norm(f"{name}.final_layer_norm", width),
    }
    for attention in ("self_attn", "encoder_attn")[: 1 if side == "encoder" else 2]:
        for part in ("k_proj", "v_proj", "q_proj", "out_proj"):
            state |= _linear(f"{name}.{attention}.{part}", width, width)
        state |= _norm(f"{name}.{attention}_layer_norm", width)
    return state


def _linear(name: str, out: int, width: int) -> State:
    return {
        f"{name}.weight": torch.randn(out, width) * 0.3,
        f"{name}.bias": torch.randn(out) * 0.2,
    }


def _norm(name: str, width: int) -> State:
    return {
        f"{name}.weight": 1 + torch.randn(width) * 0.3,
        f"{name}.bias": torch.randn(width) * 0.3,
    }


def _early(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Projections in one matrix, numbered normalisations, and another name for the output."""
    for name, tensor in state.items():
        stem, _, part = name.rpartition(".")
        if stem.endswith(".q_proj"):
            stem = stem.removesuffix(".q_proj")
            parts = [state[f"{stem}.{letter}_proj.{part}"] for letter in "qkv"]
            yield f"{stem}.in_proj_{part}", torch.cat(parts)
        elif stem == "decoder.output_projection":
            yield "decoder.embed_out", tensor
        elif stem.endswith("layer_norm") and ".layers." in stem:
            layer, norm = stem.rsplit(".", 1)
            order = ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"]
            numbered = order if layer.startswith("decoder") else [order[0], order[2]]
            yield f"{layer}.layer_norms.{numbered.index(norm)}.{part}", tensor
        elif not stem.endswith(("k_proj", "v_proj")):
            yield name, tensor
    yield "encoder.embed_positions._float_tensor", torch.zeros(1)
