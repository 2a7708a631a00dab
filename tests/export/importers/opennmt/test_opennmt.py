"""A checkpoint of OpenNMT-py becomes a bundle that translates as CTranslate2 does."""

import os
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.serialization import safe_globals

from bundle.reader import read_bundle
from export.errors import ExportError
from export.importers.importer import import_bundle
from export.importers.opennmt.reader import read
from tests.export.importers.imports import (
    assert_agrees,
    assert_asks_for_languages,
    assert_cut_short_is_refused,
    ctranslate2_version,
    imported,
    small_import,
)
from tests.export.importers.opennmt.opennmt_models import save_model

NAME = "model_step_20.pt"
VARIANTS: dict[str, dict[str, Any]] = {
    "version 3, no biases": {},
    "version 3, one vocabulary, all tied, GELU, biases": {
        "vocabularies": "one bpe",
        "is_shared": True,
        "is_tied": True,
        "pos_ffn_activation_fn": "gelu",
        "add_qkvbias": True,
        "add_ffnbias": True,
        "norm_eps": 1e-3,
        "dec_layers": 1,
        "dtype": torch.float16,
        "end_bias": 2.5,
    },
    "version 2, fields": {"version": 2, "is_tied": True, "end_bias": 2},
    "version 2, words, narrow heads": {
        "version": 2,
        "vocabularies": "words",
        "heads": 8,
        "enc_layers": 1,
    },
}


_options = partial(small_import, "opennmt")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_translates_as_the_original(variant: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", **VARIANTS[variant])
    options = _options(path, tmp_path / "out")
    manifest = imported(options, files={NAME}, config='"encoder_type": "transformer"')
    is_shared = VARIANTS[variant].get("is_shared", False)
    assert (manifest.architecture.source_vocab_size is None) == is_shared
    assert_agrees(manifest, ctranslate2_version())


def test_a_text_becomes_the_ids_of_its_pieces_without_an_end(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", vocabularies="words")
    result = read(_options(path, tmp_path / "out"))
    assert result.network.special_ids.ends_of_source == ()
    assert result.target.model != result.source.model
    import_bundle(_options(path, tmp_path / "out"))
    tokenizer = read_bundle(tmp_path / "out").tokenizer
    source = _content(path)["vocab"]["src"]
    ids = tokenizer.encode_source(" The  zebra red </s>", result.pairs[0])
    assert ids == [source.index("The"), 0, source.index("red"), 0]


@pytest.mark.parametrize("shards", [[""], [".00", ".01"]])
def test_weights_may_lie_beside_the_checkpoint(shards: list[str], tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    path = save_model(tmp_path / "model")
    wanted = read(_options(path, tmp_path / "out"))
    content = _content(path)
    generator = {f"generator.{name}": t for name, t in content.pop("generator").items()}
    tensors = list({**content.pop("model"), **generator}.items())
    torch.save(content, path / NAME)
    with pytest.raises(ExportError, match=r"no weights, and there is no model_step_20.safetensors"):
        read(_options(path, tmp_path / "out"))
    names = [f"model_step_20{shard}.safetensors" for shard in shards]
    for i, name in enumerate(names):
        safetensors.save_file(dict(tensors[i :: len(names)]), path / name)
    found = read(_options(path, tmp_path / "out"))
    assert {file.name for file in found.files} == {NAME, *names}
    for name, array in wanted.network.weights.items():
        assert (found.network.weights[name] == array).all()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("encoder_type", "brnn"),
        ("decoder_type", "transformer_lm"),
        ("position_encoding", False),
        ("max_relative_positions", 20),
        ("self_attn_type", "average"),
        ("pos_ffn_activation_fn", "silu"),
        ("layer_norm", "rms"),
        ("generator_function", "sparsemax"),
        ("copy_attn", True),
        ("num_kv", 1),
        ("lora_layers", ["linear_values"]),
        ("heads", None),
    ],
)
def test_unsupported_options_are_named(option: str, value: object, tmp_path: Path) -> None:
    wrong: dict[str, Any] = {option: value}
    path = save_model(tmp_path / "model", **wrong)
    with pytest.raises(ExportError, match=r"is not supported: it has ") as refused:
        read(_options(path, tmp_path / "out"))
    assert f"{option} {value!r} (only " in str(refused.value)


def test_words_that_are_added_to_every_sentence_are_named(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", _all_transform={"sentencepiece", "prefix"})
    with pytest.raises(ExportError, match="the transform prefix, which adds words"):
        read(_options(path, tmp_path / "out"))


def _content(path: Path) -> dict[str, Any]:
    with safe_globals([Namespace]):
        content: dict[str, Any] = torch.load(path / NAME, weights_only=True)
    return content


def _without(*names: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for name in names:
            del content["model"][name]

    return change


def _with(key: str, name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        content[key][name] = value

    return change


def _forget(name: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        del content[name]

    return change


def _shorten(content: dict[str, Any]) -> None:
    content["vocab"]["src"].pop()


def _renumber(content: dict[str, Any]) -> None:
    source = content["vocab"]["src"]
    source[0], source[1] = source[1], source[0]


def _break(content: dict[str, Any]) -> None:
    content["model"]["encoder.layer_norm.bias"][3] = torch.nan


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            _without("encoder.layer_norm.bias", "decoder.embeddings.make_embedding.pe.pe"),
            r"missing: encoder\.layer_norm\.bias, decoder\.embeddings\.make_embedding\.pe\.pe$",
        ),
        (
            _with("model", "decoder.transformer_layers.1.feed_forward.w_1.weight", torch.ones(2)),
            r"decoder\.transformer_layers\.1\.feed_forward\.w_1\.weight is 2, not 48x32",
        ),
        (_break, r"NaN or infinite: encoder\.layer_norm\.bias"),
        (
            _with("model", "decoder.gate", torch.ones(2)),
            r"is not supported: decoder\.gate belong to",
        ),
        (_shorten, r"emb_luts\.0\.weight is \d+x32, not \d+xany"),
        (_renumber, "source and target number <unk> differently"),
        (_with("vocab", "tgt", ["<unk>", "</s>"]), "the target vocabulary has no <s>"),
        (_with("vocab", "tgt", None), "no vocabulary 'tgt' of a kind that is known"),
        (_with("vocab", "src_feats", [["N"]]), "its words have features"),
        (_forget("opt"), "is no checkpoint of OpenNMT-py"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    change: Callable[[dict[str, Any]], None], reason: str, tmp_path: Path
) -> None:
    path = save_model(tmp_path / "model")
    content = _content(path)
    change(content)
    torch.save(content, path / NAME)
    with pytest.raises(ExportError, match=reason):
        import_bundle(_options(path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_biases_of_the_options_may_not_be_missing(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    content = _content(path)
    content["opt"].add_qkvbias = content["opt"].add_ffnbias = True
    torch.save(content, path / NAME)
    with pytest.raises(ExportError, match="missing: ") as refused:
        read(_options(path, tmp_path / "out"))
    assert str(refused.value).count(".bias") == 2 * 4 + 2 * 8 + 4 * 2


class _Code:
    """Runs a command when it is unpickled without `weights_only`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._file}",)


@pytest.mark.parametrize("key", ["opt", "vocab"])
def test_code_is_refused_and_not_run(key: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    content = _content(path)
    content[key] = _Code(tmp_path / "ran")
    torch.save(content, path / NAME)
    with pytest.raises(ExportError, match=r"model_step_20\.pt.* code in a checkpoint is not run"):
        import_bundle(_options(path, tmp_path / "out"))
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("file", [NAME, "source.spm"])
def test_a_file_that_is_cut_short_is_named(file: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    assert_cut_short_is_refused(_options(path, tmp_path / "out"), file)


def test_subwords_without_a_sentencepiece_model_are_refused(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    for name in ("source.spm", "target.spm"):
        (path / name).unlink()
    with pytest.raises(ExportError, match="so SentencePiece cut them, and no SentencePiece model"):
        read(_options(path, tmp_path / "out"))


def test_one_of_several_checkpoints_has_to_be_named(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    (path / "model_step_10.pt").write_bytes((path / NAME).read_bytes())
    with pytest.raises(ExportError, match=r"name one of them: model_step_10.pt, model_step_20.pt"):
        read(_options(path, tmp_path / "out"))
    assert read(_options(path / NAME, tmp_path / "out")).path.name == NAME
    with pytest.raises(ExportError, match=r"has no \.pt file"):
        read(_options(tmp_path, tmp_path / "out"))


def test_missing_languages_are_asked_for(tmp_path: Path) -> None:
    options = _options(save_model(tmp_path / "model"), tmp_path / "out")
    assert_asks_for_languages(read, options)
