"""A folder of JoeyNMT becomes a bundle that computes JoeyNMT's formulas."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundle.tokenizer import Tokenizer
from export.errors import ExportError
from export.importers.imported_model import ImportedModel
from export.importers.importer import import_bundle
from export.importers.joeynmt.reader import read
from tests.export.importers.imports import (
    assert_agrees,
    assert_cut_short_is_refused,
    imported,
    small_import,
)
from tests.export.importers.joeynmt.joeynmt_models import SPECIALS, save_model
from tests.export.importers.spm_models import pieces, spm

VARIANTS: dict[str, dict[str, Any]] = {
    "two SentencePiece models, normalised before": {},
    "one embedding for everything, normalised behind, GELU": {
        "is_shared": True,
        "is_pre_norm": False,
        "spread": 0.4,
        "changes": {"model.encoder.activation": "gelu", "model.decoder.activation": "gelu"},
    },
    "the residuals of DeepNet, characters, untied": {
        "level": "char",
        "is_tied": False,
        "changes": {"model.initializer": "xavier_normal"},
    },
    "residuals that count more, words, a source that is not scaled": {
        "level": "word",
        "is_pre_norm": False,
        "changes": {
            "model.encoder.alpha": 1.5,
            "model.decoder.alpha": 2.0,
            "model.encoder.embeddings.scale": False,
        },
    },
    "version 1": {"is_old": True, "level": "word", "is_tied": False},
}


_options = partial(small_import, "joeynmt", sources=(), targets=())


def _tokenizer(result: ImportedModel) -> Tokenizer:
    models = (result.source.model, result.target.model)
    return Tokenizer(*models, result.network.special_ids, result.network.architecture)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_translates_by_the_formulas(variant: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", **VARIANTS[variant])
    options = _options(path, tmp_path / "out")
    files = {"best.ckpt", "config.yaml", "src_vocab.txt", "trg_vocab.txt"}
    manifest = imported(options, files=files, config="num_layers: 2")
    assert [(pair.source, pair.target) for pair in manifest.pairs] == [("en", "de")]
    assert_agrees(manifest, f"JoeyNMT's formulas in torch {torch.__version__}")


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_text_has_only_pieces_of_the_vocabulary(kind: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", kind=kind)
    result = read(_options(path, tmp_path / "out"))
    lines = (path / "src_vocab.txt").read_text(encoding="utf-8").splitlines()
    lacking = [p for p in pieces(spm(0, kind)) if p not in lines and p.strip("▁")]
    assert lacking
    text = " ".join(piece.replace("▁", " ") for piece in lacking)
    tokenizer = _tokenizer(result)
    *ids, end = tokenizer.encode_source(text, result.pairs[0])
    assert end == lines.index("</s>")
    # Every letter is known, so nothing has to be unknown.
    assert lines.index("<unk>") not in ids
    assert "".join(lines[i] for i in ids).replace("▁", "") == text.replace(" ", "")


def test_letters_and_words_have_the_ids_of_the_file(tmp_path: Path) -> None:
    letters = save_model(tmp_path / "letters", level="char", changes={"data.src.lowercase": True})
    result = read(_options(letters, tmp_path / "out"))
    lines = (letters / "src_vocab.txt").read_text(encoding="utf-8").splitlines()
    ids = _tokenizer(result).encode_source("Ab c", result.pairs[0])
    assert ids == [*(lines.index(letter) for letter in "ab▁c"), lines.index("</s>")]
    words = save_model(tmp_path / "words", level="word")
    result = read(_options(words, tmp_path / "out"))
    lines = (words / "src_vocab.txt").read_text(encoding="utf-8").splitlines()
    ids = _tokenizer(result).encode_source("wordb unheard worda", result.pairs[0])
    assert ids == [lines.index("wordb"), 0, lines.index("worda"), lines.index("</s>")]


def test_the_given_name_is_taken_where_there_are_several_checkpoints(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    (path / "best.ckpt").rename(path / "300.ckpt")
    (path / "200.ckpt").write_bytes(b"another")
    with pytest.raises(ExportError, match=r"name one of them: 200\.ckpt, 300\.ckpt"):
        read(_options(path, tmp_path / "out"))
    assert path / "300.ckpt" in read(_options(path / "300.ckpt", tmp_path / "out")).files


def test_tokens_that_its_searches_exclude_are_masked(tmp_path: Path) -> None:
    result = read(_options(save_model(tmp_path / "model"), tmp_path / "out"))
    bias = result.network.weights["output_projection.bias"]
    assert {SPECIALS[i] for i in range(len(bias)) if bias[i] < 0} == {"<s>", "<pad>"}


def test_other_languages_may_be_given(tmp_path: Path) -> None:
    options = _options(save_model(tmp_path / "model"), tmp_path / "out")
    pair = read(replace(options, sources=("fr",), targets=("pt-BR",))).pairs[0]
    assert (pair.source, pair.target) == ("fr", "pt-br")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model.encoder.type": "recurrent"}, "the encoder is recurrent, not a transformer"),
        ({"model.decoder.activation": "tanh"}, "'tanh' is not supported.*differ in activation"),
        ({"model.encoder.num_heads": 5}, "32 wide is no multiple of 5 heads.*differ in num_heads"),
        ({"model.encoder.num_layers": "two"}, "model.encoder.num_layers: Input should be"),
        ({"model.decoder.ff_size": 64}, "differ in ff_size"),
        ({"model.decoder.layer_norm": "post"}, "differ in layer_norm"),
        ({"model.encoder.embeddings.embedding_dim": 16}, "embedding_dim is not hidden_size"),
        ({"model.tied_embeddings": True}, "embeddings are tied, but the vocabularies differ"),
        ({"data.special_symbols.sep_token": "<sep>"}, "prompts are not supported"),
        ({"data.special_symbols.eos_id": 2, "data.special_symbols.bos_id": 3}, "is 2, not 3"),
        ({"data.src.level": "byte"}, "data.src.level is 'byte'"),
        ({"data.trg.tokenizer_type": "subword-nmt"}, "data.trg: only pieces of SentencePiece"),
        ({"data.src.tokenizer_cfg.pretokenizer": "moses"}, "cut by moses first"),
        ({"data.src.normalize": True}, "data.src.normalize changes texts outside the model"),
        ({"data.src.tokenizer_cfg.model_file": "gone.model"}, "gone.model: No such file"),
        ({"data.src": 3}, "data.src: Input should be"),
        ({"data": 3}, "data: Input should be"),
    ],
)
def test_an_unsupported_configuration_is_refused(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = save_model(tmp_path / "model", changes=changes)
    with pytest.raises(ExportError, match=reason):
        import_bundle(_options(path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_an_option_with_different_defaults_is_asked_for(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", is_old=True, is_pre_norm=False, level="word")
    with pytest.raises(ExportError, match="add layer_norm, pre or post"):
        read(_options(path, tmp_path / "out"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("config.yaml", "config.yaml cannot be read"),
        ("best.ckpt", r"has no \.ckpt file"),
        ("src_vocab.txt", "has no src_vocab.txt"),
        ("sp.trg.model", "sp.trg.model: No such file"),
    ],
)
def test_a_missing_file_is_named(name: str, reason: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    (path / name).unlink()
    with pytest.raises(ExportError, match=reason):
        import_bundle(_options(path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def _with_state(path: Path, **changes: torch.Tensor | None) -> None:
    content = torch.load(path / "best.ckpt", weights_only=True)
    for name, tensor in changes.items():
        if tensor is None:
            del content["model_state"][name]
        else:
            content["model_state"][name] = tensor
    torch.save(content, path / "best.ckpt")


def test_all_missing_and_misshapen_tensors_are_listed(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    gone = ["encoder.layers.1.src_src_att.q_layer.bias", "decoder.layer_norm.weight"]
    shapes = {"decoder.layers.0.dec_layer_norm.bias": torch.zeros(3)}
    _with_state(path, **dict.fromkeys(gone), **shapes)
    with pytest.raises(ExportError, match=r"missing: .*of another shape: ") as refused:
        import_bundle(_options(path, tmp_path / "out"))
    assert all(name in str(refused.value) for name in (*gone, *shapes))
    assert not (tmp_path / "out").exists()


def test_a_vocabulary_of_another_size_is_refused(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    with (path / "src_vocab.txt").open("a", encoding="utf-8") as file:
        file.write("more\n")
    with pytest.raises(ExportError, match=r"src_embed\.lut\.weight is \d+x32, not \d+x32"):
        read(_options(path, tmp_path / "out"))


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    torch.save({"model_state": torch.nn.Linear(2, 2)}, path / "best.ckpt")
    with pytest.raises(ExportError, match="code in a checkpoint is not run"):
        read(_options(path, tmp_path / "out"))


def test_a_numpy_score_is_no_code(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    content = torch.load(path / "best.ckpt", weights_only=True)
    torch.save({**content, "stats_state": {"best": np.float64(3.5)}}, path / "best.ckpt")
    assert read(_options(path, tmp_path / "out")).network.weights


def test_another_program_s_checkpoint_is_refused(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    torch.save({"model": {}}, path / "best.ckpt")
    with pytest.raises(ExportError, match="has no model_state"):
        read(_options(path, tmp_path / "out"))


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    assert_cut_short_is_refused(_options(path, tmp_path / "out"), "best.ckpt")
