"""A checkpoint of fairseq becomes a bundle that translates as CTranslate2 does."""

import json
import shutil
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundle.reader import read_bundle
from export.errors import ExportError
from export.importers.fairseq.reader import read
from export.importers.importer import import_bundle
from export.importers.networks.positions import fairseq_positions
from export.verification.forced_decoding import forced_logits
from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from tests.export.importers.fairseq.fairseq_models import change, save_model, state_of
from tests.export.importers.imports import (
    assert_agrees,
    assert_cut_short_is_refused,
    ctranslate2_version,
    imported,
    small_import,
)

TRAINED = Path(__file__).parents[3] / "data" / "fairseq"
"""A checkpoint of fairseq itself, trained for a minute, with what it then translated."""
VARIANTS: dict[str, dict[str, Any]] = {
    "two vocabularies, tied, embeddings normalised": {"layernorm_embedding": True, "end": 4},
    "one vocabulary and embedding, before, learnt positions, GELU": {
        "vocabularies": "one bpe",
        "share_all_embeddings": True,
        "encoder_normalize_before": True,
        "decoder_normalize_before": True,
        "encoder_learned_pos": True,
        "decoder_learned_pos": True,
        "activation_fn": "gelu_accurate",
        "form": "groups",
        "spread": 1.5,
        "end": 2.2,
    },
    "untied, without scale, early names": {
        "share_decoder_input_output_embed": False,
        "no_scale_embedding": True,
        "decoder_layers": 1,
        "form": "early",
        "end": 5,
    },
    "words, nothing at the end of the decoder, no positions": {
        "vocabularies": "words",
        "no_token_positional_embeddings": True,
        "encoder_normalize_before": True,
        "decoder_normalize_before": True,
        "no_decoder_final_norm": True,
        "form": "args",
        "spread": 1.5,
        "end": 2.2,
    },
}


_options = partial(small_import, "fairseq", sources=(), targets=())


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_translates_as_the_original(variant: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", **VARIANTS[variant])
    options = _options(path, tmp_path / "out")
    files = {"checkpoint_best.pt", "dict.en.txt", "dict.de.txt"}
    manifest = imported(options, files=files, config='"encoder_embed_dim": 32')
    assert [str(pair) for pair in manifest.pairs] == ["en->de"]
    assert "data-bin" not in manifest.provenance.training_config
    # Random weights without a bias seldom end; those of the trained model do.
    assert_agrees(manifest, ctranslate2_version(), min_beams=1)


def test_a_checkpoint_of_fairseq_itself_translates_as_fairseq_does(tmp_path: Path) -> None:
    manifest = import_bundle(_options(TRAINED, tmp_path / "out"))
    if manifest.parity.original is not None:  # of the sentences that are made up
        assert_agrees(manifest, manifest.parity.original.implementation)
    bundle = read_bundle(tmp_path / "out")
    found = json.loads((TRAINED / "expected.json").read_text(encoding="utf-8"))
    pair = bundle.manifest.pairs[0]
    sources = [bundle.tokenizer.encode_source(each["source"], pair) for each in found]
    assert sources == [each["source_ids"] for each in found]
    sessions = open_sessions(bundle)
    targets = [each["target_ids"] for each in found]
    for logits, each in zip(forced_logits(sessions, sources, targets), found, strict=True):
        chosen = logits[np.arange(len(logits)), each["target_ids"]]
        np.testing.assert_allclose(chosen, each["logits"], atol=1e-4)
    options = DecodeOptions(beam_size=1, length_penalty=0.0, max_target_tokens=24)
    written = [h[0].target_ids for h in decode_batch(sessions, sources, options)]
    texts = [bundle.tokenizer.decode_target(ids) for ids in written]
    assert texts == [each["target"] for each in found]


def test_positions_are_those_that_fairseq_prints() -> None:
    printed = [
        [0.90929741, 0.09269850, 0.00430886, 0.00020000],
        [0.14112000, 0.13879810, 0.00646326, 0.00030000],
    ]
    table = fairseq_positions(2, 8, 2)
    np.testing.assert_allclose(table[:, :4], printed, atol=1e-7)
    np.testing.assert_allclose(table[:, :4] ** 2 + table[:, 4:] ** 2, 1, atol=1e-6)
    assert not fairseq_positions(2, 7, 2)[:, 6].any()


def test_a_text_becomes_the_ids_of_the_dictionary(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", vocabularies="words")
    import_bundle(_options(path, tmp_path / "out"))
    lines = (path / "dict.en.txt").read_text(encoding="utf-8").splitlines()
    words = [line.split()[0] for line in lines]
    bundle = read_bundle(tmp_path / "out")
    ids = bundle.tokenizer.encode_source("  The Unheard-of dog ", bundle.manifest.pairs[0])
    assert ids == [4 + words.index("The"), 3, 4 + words.index("dog"), 2]


def test_padding_is_never_generated(tmp_path: Path) -> None:
    result = read(_options(save_model(tmp_path / "model"), tmp_path / "out"))
    bias = result.network.weights["output_projection.bias"]
    assert np.flatnonzero(bias).tolist() == [1]
    assert bias[1] < -1e8


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("arch", "fconv_iwslt_de_en"),
        ("arch", "transformer_lm_big"),
        ("task", "translation_multi_simple_epoch"),
        ("bpe", "subword_nmt"),
        ("tokenizer", "moses"),
        ("adaptive_softmax_cutoff", [10, 20]),
        ("adaptive_input", True),
        ("cross_self_attention", True),
        ("decoder_layers_to_keep", "0,2"),
        ("decoder_output_dim", 16),
        ("encoder_attention_heads", 4),
        ("decoder_normalize_before", True),
        ("encoder_layers", None),
    ],
)
def test_unsupported_options_are_named(option: str, value: object, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    options = Namespace(**{**_saved(path), option: value})
    change(path, cfg=None, args=options)
    with pytest.raises(ExportError, match="is not supported: it has ") as refused:
        read(_options(path, tmp_path / "out"))
    assert option in str(refused.value)


def _saved(path: Path) -> dict[str, Any]:
    with torch.serialization.safe_globals([Namespace]):
        content = torch.load(path / "checkpoint_best.pt", weights_only=True)
    return {**vars(content["cfg"]["model"])}


def test_an_unknown_activation_is_named(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", activation_fn="relu_squared")
    with pytest.raises(ExportError, match="the activation 'relu_squared' is not supported"):
        read(_options(path, tmp_path / "out"))


def test_unused_tensors_are_refused(tmp_path: Path) -> None:
    more = {"decoder.layers.0.c_attn": torch.ones(2), "encoder.layers.1.w_resid": torch.ones(32)}
    path = save_model(tmp_path / "model", tensors=more)
    with pytest.raises(ExportError, match="parts of the network that there are no") as refused:
        read(_options(path, tmp_path / "out"))
    assert all(name in str(refused.value) for name in more)


def test_all_missing_tensors_are_listed(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    gone = ["encoder.layers.1.fc1.bias", "decoder.layers.0.encoder_attn.k_proj.weight"]
    state = {name: tensor for name, tensor in state_of(path).items() if name not in gone}
    state["decoder.layers.1.fc2.weight"] = torch.ones(32, 40)
    change(path, model=state)
    with pytest.raises(ExportError, match="missing: ") as refused:
        read(_options(path, tmp_path / "out"))
    assert all(name in str(refused.value) for name in gone)
    assert "decoder.layers.1.fc2.weight is 32x40, not 32x48" in str(refused.value)


def _without(line: int) -> Callable[[str], str]:
    return lambda text: "\n".join(text.split("\n")[line:])


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (_without(3), r"decoder\.embed_tokens\.weight is \d+x32, not \d+x32"),
        (lambda text: text.replace(" ", "\t"), r"dict\.de\.txt, line 1 is no symbol and its count"),
        (lambda text: text + text, "more than once"),
        (lambda text: "", r"dict\.de\.txt, line 1 is no symbol and its count: ''"),
        (lambda text: text[: len(text) // 2], r"dict\.de\.txt, line|decoder\.embed_tokens"),
    ],
)
def test_a_dictionary_that_does_not_fit_is_refused(
    how: Callable[[str], str], reason: str, tmp_path: Path
) -> None:
    path = save_model(tmp_path / "model")
    file = path / "dict.de.txt"
    file.write_text(how(file.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ExportError, match=reason):
        import_bundle(_options(path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_missing_dictionary_is_named(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    (path / "dict.en.txt").rename(path / "dict.fr.txt")
    with pytest.raises(ExportError, match=r"has no dict\.en\.txt"):
        read(_options(path, tmp_path / "out"))
    result = read(replace(_options(path, tmp_path / "out"), sources=("fr",)))
    assert [str(pair) for pair in result.pairs] == ["fr->de"]


def test_subwords_without_a_sentencepiece_model_are_refused(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    for name in ("source.spm", "target.spm"):
        (path / name).unlink()
    with pytest.raises(ExportError, match="no SentencePiece model lies beside"):
        read(_options(path, tmp_path / "out"))


@pytest.mark.parametrize("file", ["checkpoint_best.pt", "source.spm"])
def test_a_file_that_is_cut_short_is_named(file: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    assert_cut_short_is_refused(_options(path, tmp_path / "out"), file)


def test_a_pickle_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    change(path, extra_state=torch.nn.Linear(2, 2))
    with pytest.raises(ExportError, match="code in a checkpoint is not run"):
        import_bundle(_options(path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"model": None}, "is no checkpoint of fairseq: it has no model"),
        ({"cfg": None}, "has no args and no cfg"),
    ],
)
def test_another_checkpoint_is_refused(parts: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    change(path, **parts)
    with pytest.raises(ExportError, match=reason):
        read(_options(path, tmp_path / "out"))


def test_one_of_several_checkpoints_has_to_be_named(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    shutil.copy(path / "checkpoint_best.pt", path / "checkpoint_last.pt")
    read(_options(path, tmp_path / "out"))
    (path / "checkpoint_best.pt").rename(path / "checkpoint1.pt")
    with pytest.raises(ExportError, match=r"checkpoint1\.pt, checkpoint_last\.pt"):
        read(_options(path, tmp_path / "out"))
    read(_options(path / "checkpoint1.pt", tmp_path / "out"))
    for file in path.glob("*.pt"):
        file.unlink()
    with pytest.raises(ExportError, match=r"has no \.pt file"):
        read(_options(path, tmp_path / "out"))
