"""Marian models with random weights, made and saved by transformers' own classes."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.export.importers.spm_models import pieces, spm

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
import torch  # noqa: E402

SHAPE: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 40,
    "static_position_embeddings": True,
    "scale_embedding": True,
    "activation_function": "swish",
}
TAGS = (">>deu<<", ">>nds<<", ">>pt_BR<<")


def vocabulary(*models: bytes, tags: tuple[str, ...] = (), without: int = 0) -> dict[str, int]:
    """What marian-vocab would make of them: specials, and pieces in another order.

    Args:
        models: Whose pieces there are. Padding comes last; where each side has a vocabulary of its
            own, it must have the same id in both, and so it comes early.
        tags: Target languages.
        without: So many pieces, evenly spread, are left out, as rare ones are.
    """
    found = sorted({p for model in models for p in pieces(model)} - {"</s>", "<unk>"})
    dropped = set(found[:: len(found) // without][:without]) if without else set()
    kept = [piece for piece in found if piece not in dropped]
    first, last = (["<pad>"], []) if len(models) == 1 else ([], ["<pad>"])
    return {p: i for i, p in enumerate(["</s>", "<unk>", *first, *kept, *tags, *last])}


def _filled(ids: dict[str, int], size: int) -> dict[str, int]:
    return ids | {f"<none-{i}>": i for i in range(len(ids), size)}


def save_model(
    folder: Path,
    *,
    kind: str = "unigram",
    tags: tuple[str, ...] = (),
    without: int = 0,
    seed: int = 0,
    languages: tuple[str, str] = ("eng", "deu"),
    **config: object,
) -> Path:
    """A checkpoint's folder: weights by the library, vocabulary by its tokenizer."""
    folder.mkdir(parents=True)
    source, target = spm(0, kind), spm(1, kind)
    is_shared = bool(config.get("share_encoder_decoder_embeddings", True))
    both = (source, target) if is_shared else (source,)
    ids = vocabulary(*both, tags=tags, without=without)
    target_ids = ids if is_shared else vocabulary(target)
    if not is_shared:  # the library's class makes both embeddings of one size
        ids, target_ids = (_filled(v, max(len(ids), len(target_ids))) for v in (ids, target_ids))
    _save_tokenizer(folder, (source, target), (ids, target_ids), languages, is_shared=is_shared)
    _save_weights(folder, (len(ids), len(target_ids)), target_ids["<pad>"], seed, config)
    return folder


def _save_tokenizer(
    folder: Path,
    models: tuple[bytes, bytes],
    ids: tuple[Mapping[str, int], Mapping[str, int]],
    languages: tuple[str, str],
    *,
    is_shared: bool,
) -> None:
    parts = folder.with_name(f"{folder.name}-parts")
    parts.mkdir()
    for side, model in zip(("source", "target"), models, strict=True):
        (parts / f"{side}.spm").write_bytes(model)
    names = ("vocab.json", "target_vocab.json")
    for name, content in zip(names, ids, strict=True):
        (parts / name).write_text(json.dumps(content), encoding="utf-8")
    tokenizer = transformers.MarianTokenizer(
        str(parts / "source.spm"),
        str(parts / "target.spm"),
        str(parts / names[0]),
        None if is_shared else str(parts / names[1]),
        source_lang=languages[0],
        target_lang=languages[1],
        separate_vocabs=not is_shared,
    )
    tokenizer.save_pretrained(folder)
    shutil.rmtree(parts)


def _save_weights(
    folder: Path, sizes: tuple[int, int], pad_id: int, seed: int, config: dict[str, Any]
) -> None:
    is_safe = bool(config.pop("is_safe", True))
    is_pre_norm = bool(config.get("normalize_before"))
    settings = transformers.MarianConfig(
        **{**SHAPE, **config},
        vocab_size=sizes[0],
        decoder_vocab_size=sizes[1],
        pad_token_id=pad_id,
        decoder_start_token_id=pad_id,
        eos_token_id=0,
        forced_eos_token_id=0,
        **({} if is_pre_norm else {"bad_words_ids": [[pad_id]]}),
    )
    torch.manual_seed(seed)
    if is_pre_norm:
        pegasus = transformers.PegasusConfig(**settings.to_dict() | {"model_type": "pegasus"})
        model = transformers.PegasusForConditionalGeneration(pegasus)
    else:
        model = transformers.MarianMTModel(settings)
    _disturb(model)
    model.save_pretrained(folder, safe_serialization=is_safe)
    if is_pre_norm:
        settings.save_pretrained(folder)


def _disturb(model: Any) -> None:  # noqa: ANN401
    """Away from initial zeros and ones, and so that translations differ and come to an end."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embed_positions" in name:
                continue
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter), alpha=0.3)
            else:
                parameter.mul_(12 if "layers" in name else 15)
        model.final_logits_bias.normal_()
        _make_end(model.eval())


def _make_end(model: Any) -> None:  # noqa: ANN401
    """Let the end token become likely where hidden states look as they do late in a target."""
    size = model.config.decoder_vocab_size
    source_ids = torch.randint(2, min(size, model.config.vocab_size), (24, 10))
    # As the model itself goes on: one token again and again.
    target_ids = torch.randint(2, size, (24, 1)).expand(-1, 24)
    hidden = model.model(input_ids=source_ids, decoder_input_ids=target_ids).last_hidden_state
    early, late = hidden[:, :3].mean(dim=(0, 1)), hidden[:, 3:12].mean(dim=(0, 1))
    row = (late - early) * 9 / (late - early).norm()
    model.get_output_embeddings().weight[0] = row
    model.final_logits_bias[0, 0] = 10 - row @ (early + late) / 2


def original_tokenizer(folder: Path) -> Any:  # noqa: ANN401
    """The library's own tokenizer of a checkpoint."""
    return transformers.MarianTokenizer.from_pretrained(folder)
