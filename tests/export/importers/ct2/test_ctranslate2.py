"""A model of CTranslate2 becomes a bundle that translates as CTranslate2 does."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
from numpy.typing import NDArray

from bundle.reader import read_bundle
from export.errors import ExportError, VerificationError
from export.exporter import make_bundle
from export.importers.ct2.model_file import read_model_file
from export.importers.ct2.reader import read
from export.importers.importer import import_bundle, prepare_import
from tests.export.importers.ct2.ct2_models import save_model, save_package, save_variables
from tests.export.importers.imports import (
    assert_agrees,
    assert_asks_for_languages,
    assert_cut_short_is_refused,
    ctranslate2_version,
    imported,
    small_import,
)

ctranslate2 = pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")

VARIANTS: dict[str, dict[str, Any]] = {
    "as OpenNMT-py trains, int8": {"quantization": "int8", "positions": 40},
    "as OPUS-MT is, int8_float16": {
        "quantization": "int8_float16",
        "vocabularies": "two",
        "tying": "decoder",
        "pre_norm": False,
        "activation": "SWISH",
        "starts_from_zero": True,
        "positions": 40,
        "config": {"add_source_eos": True, "decoder_start_token": "</s>"},
    },
    "as OpenNMT-tf trains, positions not stored, int16": {
        "quantization": "int16",
        "tying": "none",
        "vocabularies": "two",
        "config": {"add_source_bos": True, "add_source_eos": True},
    },
    "as fairseq trains, bfloat16, narrow heads": {
        "layernorm_embedding": True,
        "quantization": "bfloat16",
        "activation": "GELU",
        "num_heads": 8,
        "num_layers": (1, 2),
        "scale": 4.5,
        "positions": 40,
        "config": {
            "add_source_eos": True,
            "decoder_start_token": "</s>",
            "layer_norm_epsilon": 1e-3,
        },
    },
    "nothing at the end, no biases, not scaled, float16": {
        "quantization": "float16",
        "no_final_norm": True,
        "has_biases": False,
        "scale": False,
        "num_layers": (2, 1),
        "activation": "GELUSigmoid",
        "positions": 40,
        "end_bias": 20,
    },
    "one vocabulary, start from nothing, float32": {
        "starts_from_zero": True,
        "activation": "GELUTanh",
    },
}


_options = partial(small_import, "ctranslate2")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_translates_as_the_original(variant: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", **VARIANTS[variant])
    options = _options(path, tmp_path / "out")
    manifest = imported(options, files={"model.bin", "config.json"}, config='"add_source_eos": ')
    assert_agrees(manifest, ctranslate2_version())


def test_a_fault_that_changes_no_translation_is_found(tmp_path: Path) -> None:
    options = _options(save_model(tmp_path / "model"), tmp_path / "out")
    result = read(options)
    scale = result.network.embedding_scale * 1.0001
    faulty = replace(result, network=replace(result.network, embedding_scale=scale))
    with pytest.raises(VerificationError, match=r"differ from ctranslate2 \S+: max_logit_error"):
        make_bundle(prepare_import(faulty, options))
    assert not (tmp_path / "out").exists()


def _as_version_3(model: Path) -> None:
    """As old programs wrote it: no configuration, a piece a line, common attributes once."""
    stored = read_model_file(model / "model.bin")
    variables: dict[str, Any] = dict(stored.variables)
    for name in ("num_heads", "pre_norm", "activation"):
        variables[name] = variables.pop(f"encoder/{name}")
        del variables[f"decoder/{name}"]
    variables["encoder/embeddings/weight"] = variables.pop("encoder/embeddings_0/weight")
    variables["with_source_eos"] = np.int8(1)
    variables["unk_token"] = np.frombuffer(b"<unk>", dtype=np.int8)
    save_variables(model / "model.bin", variables, version=3, revision=4)
    (model / "config.json").unlink()
    pieces = json.loads((model / "shared_vocabulary.json").read_text(encoding="utf-8"))
    (model / "shared_vocabulary.json").unlink()
    text = "".join(f"{piece}\n" for piece in pieces)
    (model / "shared_vocabulary.txt").write_text(text, encoding="utf-8")


def test_a_package_of_argos_translate_names_its_languages(tmp_path: Path) -> None:
    path = save_package(tmp_path / "translate-en_de-1_0")
    _as_version_3(path / "model")
    options = replace(_options(path, tmp_path / "out"), sources=(), targets=())
    manifest = import_bundle(options)
    assert [str(pair) for pair in manifest.pairs] == ["en->de"]
    assert_agrees(manifest, ctranslate2_version())
    cutter = sentencepiece.SentencePieceProcessor(model_file=str(path / "sentencepiece.model"))
    vocabulary = (path / "model" / "shared_vocabulary.txt").read_text(encoding="utf-8").split("\n")
    text = "Der kleine Hund </s> trägt 7 Äpfel."
    cut = cutter.encode(text, out_type=str)
    wanted = [vocabulary.index(piece) if piece in vocabulary else 0 for piece in cut]
    tokenizer = read_bundle(tmp_path / "out").tokenizer
    assert tokenizer.encode_source(text, manifest.pairs[0]) == [*wanted, 3]


def test_tags_choose_the_target_language(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", more_pieces=(">>de<<", ">>fr<<"))
    result = read(replace(_options(path, tmp_path / "out"), targets=()))
    prefixes = {pair.target: pair.source_prefix for pair in result.pairs}
    assert prefixes == {"de": ">>de<<", "fr": ">>fr<<"}


def test_a_tag_that_is_always_added_chooses_one_language(tmp_path: Path) -> None:
    said = {"add_source_bos": True, "bos_token": ">>de<<"}
    path = save_model(tmp_path / "model", more_pieces=(">>de<<", ">>fr<<"), config=said)
    (pair,) = read(_options(path, tmp_path / "out")).pairs
    assert (pair.target, pair.source_prefix) == ("de", ">>de<<")


def test_a_start_and_a_tag_before_a_source_are_not_supported(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", more_pieces=(">>de<<",), config={"add_source_bos": True})
    with pytest.raises(ExportError, match="<s> and a tag for the target language"):
        read(_options(path, tmp_path / "out"))


def _changed(path: Path, change: Callable[[dict[str, Any]], object], **more: Any) -> Path:  # noqa: ANN401
    variables = dict(read_model_file(path / "model.bin").variables)
    change(variables)
    save_variables(path / "model.bin", variables, **more)
    return path


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("encoder/layer_1/ffn/linear_0_noact/weight", np.ones((2, 2)), "linear_0_noact/weight"),
        ("decoder/project_in/weight", np.ones((2, 2)), "decoder/project_in/weight"),
        ("encoder/embeddings_1/weight", np.ones((2, 2)), "encoder/embeddings_1/weight"),
        (
            "encoder/layer_0/self_attention/relative_position_keys",
            np.ones((5, 16)),
            r"encoder/layer_\*/self_attention/relative_position_keys",
        ),
        ("decoder/layer_0/self_attention/num_heads_kv", np.int32(1), r"/num_heads_kv 1"),
        ("decoder/alibi", np.int8(1), "decoder/alibi 1"),
        ("decoder/scale_outputs", np.float32(0.5), "decoder/scale_outputs 0.5"),
        ("encoder/activation", np.int8(5), "activation 5 in the encoder, but 0 in the decoder; "),
        ("decoder/scale_embeddings", np.int8(0), "scaled differently in encoder and decoder"),
    ],
)
def test_unsupported_options_are_named(
    name: str,
    value: NDArray[Any] | np.generic,
    reason: str,
    tmp_path: Path,
) -> None:
    stored = value.astype(np.float32) if value.ndim else value
    path = _changed(
        save_model(tmp_path / "model"), lambda variables: variables.update({name: stored})
    )
    with pytest.raises(ExportError, match=rf"model\.bin is not supported: it has .*{reason}"):
        read(_options(path, tmp_path / "out"))


@pytest.mark.parametrize("spec", ["TransformerDecoderSpec", "WhisperSpec"])
def test_a_network_of_another_kind_is_named(spec: str, tmp_path: Path) -> None:
    path = _changed(save_model(tmp_path / "model"), lambda variables: None, spec=spec)
    with pytest.raises(ExportError, match=f"it has a {spec}, not a TransformerSpec"):
        read(_options(path, tmp_path / "out"))


def test_a_decoder_without_a_first_token_is_not_supported(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", config={"decoder_start_token": None})
    with pytest.raises(ExportError, match="a decoder whose first token its user gives"):
        read(_options(path, tmp_path / "out"))


def test_all_missing_tensors_are_listed(tmp_path: Path) -> None:
    gone = (
        "decoder/layer_1/attention/linear_1/weight",
        "encoder/layer_0/ffn/layer_norm/beta",
        "decoder/embeddings/weight",
    )
    path = _changed(
        save_model(tmp_path / "model"), lambda variables: [variables.pop(name) for name in gone]
    )
    with pytest.raises(ExportError, match="missing: ") as refused:
        import_bundle(_options(path, tmp_path / "out"))
    assert all(name in str(refused.value) for name in gone)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("encoder/layer_1/ffn/linear_1/bias", np.ones(31), "linear_1/bias is 31, not 32"),
        (
            "decoder/layer_norm/beta",
            np.full(32, np.nan),
            "NaN or infinite: decoder/layer_norm/beta",
        ),
        ("decoder/layer_0/self_attention/linear_0/weight", np.ones((64, 32)), "64x32, not 96x32"),
        (
            "decoder/layer_0/ffn/linear_1/weight",
            np.ones((32, 48), dtype=np.int8),
            "linear_1/weight holds integers, and .*linear_1/weight_scale is missing",
        ),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(
    name: str,
    value: NDArray[Any] | np.generic,
    reason: str,
    tmp_path: Path,
) -> None:
    stored = value.astype(np.float32) if value.dtype == np.float64 else value
    path = _changed(
        save_model(tmp_path / "model"), lambda variables: variables.update({name: stored})
    )
    with pytest.raises(ExportError, match=reason):
        import_bundle(_options(path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_vocabulary_of_another_size_is_refused(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    file = path / "shared_vocabulary.json"
    pieces = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(pieces[:-1]), encoding="utf-8")
    sizes = rf"embeddings_0/weight is {len(pieces)}x32, not {len(pieces) - 1}x32"
    with pytest.raises(ExportError, match=sizes):
        import_bundle(_options(path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("model.bin", "has no model.bin"),
        ("config.json", "has no config.json"),
        ("shared_vocabulary.json", "has no shared_vocabulary.json or shared_vocabulary.txt or"),
        ("sentencepiece.model", "no SentencePiece model lies beside"),
    ],
)
def test_a_missing_file_is_named(file: str, reason: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    (path / file).unlink()
    with pytest.raises(ExportError, match=reason):
        read(_options(path, tmp_path / "out"))


@pytest.mark.parametrize(
    "file", ["model.bin", "config.json", "shared_vocabulary.json", "sentencepiece.model"]
)
def test_a_file_that_is_cut_short_is_named(file: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    assert_cut_short_is_refused(_options(path, tmp_path / "out"), file)


def test_every_length_that_a_file_can_be_cut_to_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    save_variables(file, {"a": np.ones(3, np.float32), "b/weight": np.ones((1, 2), np.int8)})
    content = file.read_bytes()
    assert set(read_model_file(file).variables) == {"a", "b/weight"}
    for length in range(len(content)):
        file.write_bytes(content[:length])
        with pytest.raises(ExportError, match="cut short"):
            read_model_file(file)


def test_a_pickle_named_model_bin_is_not_opened(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    (path / "model.bin").write_bytes(b"\x80\x04cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(ExportError, match="is no model of CTranslate2 in a version from 2 to 6"):
        read(_options(path, tmp_path / "out"))


def test_a_vocabulary_without_its_end_token_is_refused(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", config={"eos_token": "<end>"})
    with pytest.raises(ExportError, match=r"shared_vocabulary\.json has no <end>"):
        read(_options(path, tmp_path / "out"))


def test_a_package_that_is_still_packed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "translate-en_de-1_0.argosmodel"
    path.write_bytes(b"PK")
    with pytest.raises(ExportError, match="is a zip file: unpack it first"):
        read(_options(path, tmp_path / "out"))


def test_missing_languages_are_asked_for(tmp_path: Path) -> None:
    options = _options(save_model(tmp_path / "model"), tmp_path / "out")
    assert_asks_for_languages(read, options)
