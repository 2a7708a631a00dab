"""A checkpoint of transformers becomes a bundle that translates as transformers does."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from bundle.reader import read_bundle  # noqa: E402
from bundle.tensors import (  # noqa: E402
    MODEL_CARD_NAME,
    SOURCE_TOKENIZER_NAME,
    TARGET_TOKENIZER_NAME,
)
from export.errors import ExportError, VerificationError  # noqa: E402
from export.exporter import make_bundle  # noqa: E402
from export.importers.hf_marian.reader import read  # noqa: E402
from export.importers.importer import import_bundle, prepare_import  # noqa: E402
from export.importers.options import DevelopmentFile  # noqa: E402
from tests.data.toy_language import sentence_pairs  # noqa: E402
from tests.export.importers.hf_marian.hf_models import TAGS, save_model  # noqa: E402
from tests.export.importers.imports import (  # noqa: E402
    assert_agrees,
    small_import,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses:UserWarning"),
    pytest.mark.filterwarnings("ignore:Moving the following attributes:UserWarning"),
]
VARIANTS: dict[str, dict[str, Any]] = {
    "heads too narrow for the fused operator": {
        "encoder_attention_heads": 8,
        "decoder_attention_heads": 8,
    },
    "separate vocabularies": {"share_encoder_decoder_embeddings": False, "seed": 1},
    "separate vocabularies, untied, ReLU": {
        "share_encoder_decoder_embeddings": False,
        "tie_word_embeddings": False,
        "activation_function": "relu",
    },
    "untied, GELU, pickled": {
        "tie_word_embeddings": False,
        "activation_function": "gelu",
        "is_safe": False,
    },
    "normalised before, unscaled": {
        "normalize_before": True,
        "scale_embedding": False,
        "decoder_layers": 1,
    },
    "pieces by merging, tanh GELU, one head": {
        "kind": "bpe",
        "activation_function": "gelu_new",
        "encoder_attention_heads": 1,
        "decoder_attention_heads": 1,
    },
}


_options = partial(small_import, "hf-marian", max_bleu_loss=100)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "opus", tags=TAGS, without=3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_translates_as_the_original(variant: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", **VARIANTS[variant])
    manifest = import_bundle(_options(path, tmp_path / "out"))
    assert_agrees(manifest, f"transformers {transformers.__version__}", min_beams=1)
    assert read_bundle(tmp_path / "out").manifest == manifest
    is_separate = "share_encoder_decoder_embeddings" in VARIANTS[variant]
    assert (manifest.architecture.source_vocab_size is not None) == is_separate


def test_positions_are_those_of_the_checkpoint_where_it_has_any(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", static_position_embeddings=False)
    tensors = load_file(path / "model.safetensors")
    torch.manual_seed(3)
    for side in ("encoder", "decoder"):
        tensors[f"model.{side}.embed_positions.weight"] = torch.randn(40, 32)
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    assert_agrees(
        import_bundle(_options(path, tmp_path / "out")),
        f"transformers {transformers.__version__}",
        min_beams=1,
    )
    with pytest.raises(ExportError, match="the model has 40 positions"):
        import_bundle(_options(path, tmp_path / "longer", max_source_tokens=41))
    assert not (tmp_path / "longer").exists()


@pytest.fixture(scope="module")
def imported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles") / "opus"
    import_bundle(_options(checkpoint, out, sources=(), targets=()))
    return out


def test_tags_are_target_languages(imported: Path) -> None:
    bundle = read_bundle(imported)
    manifest = bundle.manifest
    assert_agrees(manifest, f"transformers {transformers.__version__}", min_beams=1)
    assert [(str(p), p.source_prefix) for p in manifest.pairs] == [
        ("eng->deu", ">>deu<<"),
        ("eng->nds", ">>nds<<"),
        ("eng->pt-br", ">>pt_BR<<"),
    ]
    ids = bundle.tokenizer.encode_source("The dog.", manifest.pairs[1])
    assert bundle.tokenizer.source_pieces(ids)[0] == ">>nds<<"
    assert not manifest.quality


def test_int8_with_development_sentences_passes_every_check(
    checkpoint: Path, tmp_path: Path
) -> None:
    dev = tmp_path / "dev.tsv"
    lines = (f"{source}\t{target}\n" for source, target in sentence_pairs(200, seed=2))
    dev.write_text("".join(lines), encoding="utf-8")
    options = _options(
        checkpoint,
        tmp_path / "out",
        precision="int8",
        targets=("nds", "deu"),
        dev=(DevelopmentFile(path=dev, direction="en-deu"),),
        verification_sentences=20,
    )
    manifest = import_bundle(options)
    assert_agrees(manifest, f"transformers {transformers.__version__}", min_beams=1)
    assert [str(p) for p in manifest.pairs] == ["en->nds", "en->deu"]
    assert (manifest.precision, manifest.cache, manifest.batch_invariant) == ("int8", "int8", True)
    measured = [(str(q.pair), q.precision, q.beam_size) for q in manifest.quality]
    assert measured == [("en->deu", p, b) for p in ("fp32", "int8") for b in (1, 4)]
    assert manifest.alignment_head is not None
    card = (options.out / MODEL_CARD_NAME).read_text(encoding="utf-8")
    assert "imported from the hf-marian checkpoint opus" in card
    assert f"Against transformers {transformers.__version__}, over 20 sentences" in card


def test_the_manifest_names_the_checkpoint(checkpoint: Path, imported: Path) -> None:
    manifest = read_bundle(imported).manifest
    foreign = manifest.provenance.foreign
    assert foreign is not None
    assert (foreign.kind, foreign.name) == ("hf-marian", "opus")
    assert {"config.json", "model.safetensors", "source.spm", "vocab.json"} <= foreign.files.keys()
    assert json.loads(manifest.provenance.training_config)["d_model"] == 32
    saved = load_file(checkpoint / "model.safetensors")
    assert manifest.architecture.num_parameters == sum(t.numel() for t in saved.values())


def test_equal_vocabularies_are_stored_once(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    options = _options(path, tmp_path / "out")
    assert read(options).tokenizer_files.keys() == {
        SOURCE_TOKENIZER_NAME,
        TARGET_TOKENIZER_NAME,
    }
    (path / "target.spm").write_bytes((path / "source.spm").read_bytes())
    assert read(options).tokenizer_files.keys() == {SOURCE_TOKENIZER_NAME}


def test_padding_is_never_generated(checkpoint: Path, tmp_path: Path) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    assert np.isfinite(tensors["final_logits_bias"].numpy()).all()
    path = _copy(checkpoint, tmp_path / "copy")
    tensors["final_logits_bias"][0, -1] = 1e4  # the likeliest of all
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    manifest = import_bundle(_options(path, tmp_path / "out", targets=("deu",)))
    assert_agrees(manifest, f"transformers {transformers.__version__}", min_beams=1)
    assert manifest.special_ids.bos not in manifest.canary.target_ids


def _copy(checkpoint: Path, folder: Path) -> Path:
    shutil.copytree(checkpoint, folder)
    return folder


def _config(path: Path, **changes: object) -> None:
    file = path / "config.json"
    content = json.loads(file.read_text(encoding="utf-8")) | changes
    file.write_text(json.dumps(content), encoding="utf-8")


def _refusal(path: Path, tmp_path: Path) -> str:
    """The one message of an import that leaves nothing behind."""
    out = tmp_path / "refused" / "out"
    with pytest.raises(ExportError) as refused:
        import_bundle(_options(path, out, targets=("deu",)))
    assert not out.parent.exists()
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_all_missing_and_misshapen_tensors_are_listed(checkpoint: Path, tmp_path: Path) -> None:
    path = _copy(checkpoint, tmp_path / "model")
    tensors = load_file(path / "model.safetensors")
    gone = ["model.encoder.layers.0.fc1.bias", "model.decoder.layers.1.encoder_attn.q_proj.weight"]
    for name in gone:
        del tensors[name]
    tensors["model.encoder.layers.1.fc2.weight"] = torch.zeros(32, 47)
    tensors["model.decoder.layers.0.fc1.bias"][3] = float("nan")
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    message = _refusal(path, tmp_path)
    assert f"missing: {gone[0]}, {gone[1]}" in message
    assert "of another shape: model.encoder.layers.1.fc2.weight is 32x47, not 32x48" in message
    assert "NaN or infinite: model.decoder.layers.0.fc1.bias" in message


def test_code_in_a_checkpoint_is_not_run(checkpoint: Path, tmp_path: Path) -> None:
    path = _copy(checkpoint, tmp_path / "model")
    (path / "model.safetensors").unlink()
    state = {"model.shared.weight": _Touch(tmp_path / "touched")}
    torch.save(state, path / "pytorch_model.bin")
    assert "code in a checkpoint is not run" in _refusal(path, tmp_path)
    assert not (tmp_path / "touched").exists()


class _Touch:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self._path,)


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.json", "config.json", "source.spm"])
def test_a_file_that_is_cut_short_is_named(name: str, checkpoint: Path, tmp_path: Path) -> None:
    path = _copy(checkpoint, tmp_path / "model")
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[: len(content) * 2 // 3])
    assert str(path / name) in _refusal(path, tmp_path)


def test_a_pickled_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", is_safe=False, tags=TAGS)
    file = path / "pytorch_model.bin"
    file.write_bytes(file.read_bytes()[:9000])
    assert f"{file} cannot be read, it may be cut short" in _refusal(path, tmp_path)


def test_all_missing_files_are_listed(checkpoint: Path, tmp_path: Path) -> None:
    path = _copy(checkpoint, tmp_path / "model")
    for name in ("target.spm", "model.safetensors"):
        (path / name).unlink()
    message = _refusal(path, tmp_path)
    assert "has no target.spm, no model.safetensors or pytorch_model.bin" in message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "bart"}, "model_type 'bart' is not marian"),
        ({"d_model": None}, "d_model is missing"),
        ({"decoder_ffn_dim": 64}, "encoder and decoder differ in ffn_dim"),
        ({"normalize_embedding": True}, "normalize_embedding is not supported"),
        ({"activation_function": "mish"}, "the activation 'mish' is not supported; these are"),
        ({"vocab_size": 90}, "model.shared.weight is 110x32, not 90x32, final_logits_bias is"),
        ({"decoder_layers": 3}, "missing: model.decoder.layers.2.self_attn.q_proj.weight, "),
        ({"normalize_before": True}, "missing: model.encoder.layer_norm.weight, "),
        (
            {"encoder_attention_heads": 5, "decoder_attention_heads": 5},
            "d_model 32 is not a multiple of 5 heads",
        ),
    ],
)
def test_unsupported_options_are_named(
    changes: dict[str, object], reason: str, checkpoint: Path, tmp_path: Path
) -> None:
    path = _copy(checkpoint, tmp_path / "model")
    _config(path, **changes)
    assert reason in _refusal(path, tmp_path)


def test_a_wrong_embedding_scale_does_not_pass(checkpoint: Path, tmp_path: Path) -> None:
    path = _copy(checkpoint, tmp_path / "model")
    result = read(_options(path, tmp_path / "out", targets=("deu",)))
    wrong = replace(result, network=replace(result.network, embedding_scale=5.0))
    options = _options(path, tmp_path / "out", targets=("deu",))
    with pytest.raises(VerificationError, match="the graphs differ from transformers"):
        make_bundle(prepare_import(wrong, options))
    assert not (tmp_path / "out").exists()


def test_int8_without_sentences_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"give --dev FILE .* or --precision fp32"):
        import_bundle(_options(tmp_path / "nowhere", tmp_path / "out", precision="int8"))


@pytest.mark.parametrize(
    ("targets", "direction", "reason"),
    [
        (("deu", "nds"), None, "of which direction\\? --dev DIRECTION=FILE; en-deu, en-nds"),
        (("deu",), "en-fr", "the model has no such direction, but en-deu"),
        (("fr",), None, "the model does not translate into fr, but into deu, nds, pt-br"),
        (("ROMANCE",), None, "'ROMANCE' is no language code"),
    ],
)
def test_languages_that_do_not_fit_are_named(
    targets: tuple[str, ...], direction: str | None, reason: str, checkpoint: Path, tmp_path: Path
) -> None:
    dev = DevelopmentFile(path=tmp_path / "dev.tsv", direction=direction)
    options = _options(checkpoint, tmp_path / "out", targets=targets, dev=(dev,))
    with pytest.raises(ExportError, match=reason):
        import_bundle(options)
