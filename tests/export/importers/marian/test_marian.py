"""A model of Marian becomes a bundle that translates as CTranslate2 does."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.errors import ExportError
from export.importers.importer import import_bundle
from export.importers.marian.reader import read
from tests.export.importers.imports import (
    assert_agrees,
    assert_asks_for_languages,
    assert_cut_short_is_refused,
    ctranslate2_version,
    imported,
    small_import,
)
from tests.export.importers.marian.marian_models import PRE_NORM, save_arrays, save_model

VARIANTS: dict[str, dict[str, Any]] = {
    "one vocabulary, all tied": {},
    "two vocabularies, tied in the decoder, GELU": {
        "vocabularies": "two spm",
        "tying": "decoder",
        "transformer_ffn_activation": "gelu",
    },
    "two vocabularies, untied, before, ReLU": {
        "vocabularies": "two spm",
        "tying": "none",
        "transformer_ffn_activation": "relu",
        "enc_depth": 1,
        "end_bias": 7,
        **{name.replace("-", "_"): value for name, value in PRE_NORM.items()},
    },
    "numbered pieces, learnt positions": {"vocabularies": "yml", "has_positions": True},
}


_options = partial(small_import, "marian")


def test_learnt_positions_limit_the_tokens_of_a_bundle(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", has_positions=True)
    options = replace(_options(path, tmp_path / "out"), max_source_tokens=None)
    assert import_bundle(options).max_source_tokens == 40
    longer = replace(options, out=tmp_path / "longer", max_target_tokens=41)
    with pytest.raises(ExportError, match="the model has 40 trained positions: ask for no more"):
        import_bundle(longer)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_translates_as_the_original(variant: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", **VARIANTS[variant])
    options = _options(path, tmp_path / "out")
    manifest = imported(options, files={"model.npz"}, config="dim-emb: 32\n")
    assert_agrees(manifest, ctranslate2_version())


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("type", "amun"),
        ("transformer_decoder_autoreg", "rnn"),
        ("transformer_decoder_autoreg", "average-attention"),
        ("transformer_tied_layers", [1, 1]),
        ("transformer_ffn_depth", 3),
        ("transformer_no_projection", True),
        ("transformer_postprocess_emb", "nd"),
        ("lemma_dim_emb", 16),
    ],
)
def test_unsupported_options_are_named(option: str, value: object, tmp_path: Path) -> None:
    wrong: dict[str, Any] = {option: value}
    path = save_model(tmp_path / "model", **wrong)
    with pytest.raises(ExportError, match=r"is not supported: it has ") as refused:
        read(_options(path, tmp_path / "out"))
    assert f"{option.replace('_', '-')} {value!r} (only " in str(refused.value)


def test_another_order_of_normalisation_and_another_activation_are_named(tmp_path: Path) -> None:
    wrong: dict[str, Any] = {
        "transformer_preprocess": "n",
        "transformer_ffn_activation": "leakyrelu",
    }
    path = save_model(tmp_path / "model", **wrong)
    with pytest.raises(ExportError, match=r"-postprocess-top.*; .*ffn-activation 'leakyrelu'"):
        read(_options(path, tmp_path / "out"))


def test_inner_widths_that_differ_are_named(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    with np.load(path / "model.npz") as archive:
        arrays = dict(archive)
    arrays["decoder_l1_ffn_W1"] = np.ones((32, 64), dtype=np.float32)
    save_arrays(path / "model.npz", arrays)
    with pytest.raises(ExportError, match="decoder_l1_ffn_W1 is 32x64, not 32x48"):
        read(_options(path, tmp_path / "out"))


def test_factored_embeddings_are_refused(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    with np.load(path / "model.npz") as archive:
        arrays = dict(archive)
    arrays["decoder_ff_logit_lemma_out_Wt"] = np.ones((2, 2))
    save_arrays(path / "model.npz", arrays)
    with pytest.raises(ExportError, match="decoder_ff_logit_lemma_out_Wt, which is factored"):
        read(_options(path, tmp_path / "out"))


def test_all_missing_tensors_are_listed(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    with np.load(path / "model.npz") as archive:
        arrays = dict(archive)
    gone = ["encoder_l1_self_Wq", "decoder_l2_context_bv", "decoder_l1_ffn_ffn_ln_scale"]
    arrays = {name: array for name, array in arrays.items() if name not in gone}
    save_arrays(path / "model.npz", arrays)
    with pytest.raises(ExportError, match="missing: ") as refused:
        read(_options(path, tmp_path / "out"))
    assert all(name in str(refused.value) for name in gone)


@pytest.mark.parametrize("file", ["model.npz", "vocab.spm"])
def test_a_file_that_is_cut_short_is_named(file: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    assert_cut_short_is_refused(_options(path, tmp_path / "out"), file)


def test_a_model_alone_lacks_its_vocabulary(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    (path / "vocab.spm").unlink()
    with pytest.raises(ExportError, match=r"has no vocabulary: vocab.spm or vocab.yml"):
        read(_options(path, tmp_path / "out"))


def test_two_vocabularies_have_to_be_assigned_to_sides(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", vocabularies="two spm", tying="none")
    (path / "decoder.yml").unlink()
    with pytest.raises(ExportError, match=r"vocab.de.spm, vocab.en.spm: say in decoder.yml"):
        read(_options(path, tmp_path / "out"))


def test_pieces_without_a_sentencepiece_model_are_refused(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", vocabularies="yml")
    (path / "source.spm").unlink()
    with pytest.raises(ExportError, match=r"there is no source\.spm that cuts a text into them"):
        read(_options(path, tmp_path / "out"))


def test_missing_languages_are_asked_for(tmp_path: Path) -> None:
    options = _options(save_model(tmp_path / "model"), tmp_path / "out")
    assert_asks_for_languages(read, options)
