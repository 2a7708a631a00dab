"""A bundle appears only if it passed every check; a failed export leaves nothing behind."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bundle.manifest import MANIFEST_NAME, Manifest
from bundle.reader import read_bundle
from bundle.tensors import (
    BEAMS_NAME,
    INSPECTION_NAMES,
    KNOWN_WORDS_NAME,
    MODEL_CARD_NAME,
    REQUIRED_FILES,
)
from export.errors import ExportError, VerificationError
from export.exporter import export_bundle
from export.options import CalibrationOptions, ExportOptions
from model.errors import CheckpointError, CorpusError
from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from tests.data.toy_language import sentence_pairs
from tests.export.networks import random_transformer
from tests.export.runs import CONFIG, VOCAB_SIZE, write_run


def _options(checkpoint: Path, out: Path) -> ExportOptions:
    return ExportOptions(
        checkpoint=checkpoint,
        out=out,
        data=checkpoint.parent,
        max_source_tokens=32,
        max_target_tokens=32,
        verification_sentences=40,
        calibration=CalibrationOptions(sentences=20),
        max_bleu_loss=100,
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = write_run(tmp_path_factory.mktemp("runs") / "run")
    lines = [f"{source}\t{target}\ttoy-language\n" for source, target in sentence_pairs(99, seed=1)]
    (found.parent / "train.tsv").write_text("".join(lines), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    out = tmp_path_factory.mktemp("bundles") / "nested" / "random"
    return out, export_bundle(_options(checkpoint, out))


def _everything_in(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_bundle_holds_what_the_service_reads(exported: tuple[Path, Manifest]) -> None:
    out, manifest = exported
    assert {p.name for p in out.iterdir()} == {
        *REQUIRED_FILES,
        BEAMS_NAME,
        *INSPECTION_NAMES,
        KNOWN_WORDS_NAME,
        MANIFEST_NAME,
    }
    assert read_bundle(out).manifest == manifest
    assert [p.name for p in out.parent.iterdir()] == [out.name]


def test_the_manifest_holds_the_measurements(exported: tuple[Path, Manifest]) -> None:
    _, manifest = exported
    assert (manifest.name, manifest.precision, manifest.batch_invariant) == ("random", "int8", True)
    assert manifest.parity.sentences == manifest.parity.identical_sentences == 40
    assert 0 < manifest.parity.later_steps_max_error <= 1e-4
    assert [(q.precision, q.beam_size) for q in manifest.quality] == [
        ("fp32", 1),
        ("fp32", 4),
        ("int8", 1),
        ("int8", 4),
    ]
    plain, _, int8, _ = manifest.quality
    assert (plain.sentences, plain.dataset) == (40, "dev.tsv")
    assert plain.max_logit_error == plain.changed_against_fp32 == 0
    assert int8.max_logit_error > 0
    assert "tok:13a" in int8.bleu_signature
    assert len(manifest.quantization.static_tensors) == 4 * 2 + 6 * 2 + 2
    assert manifest.quantization.noise_ratios.keys() == {*manifest.quantization.static_tensors}
    assert manifest.shortlist is None


def test_the_manifest_holds_the_provenance(exported: tuple[Path, Manifest]) -> None:
    provenance = exported[1].provenance
    assert (provenance.training_steps, provenance.training_target_tokens) == (7, 1234)
    assert provenance.training_minutes == 1.5
    assert provenance.training_config == CONFIG
    (source,) = provenance.data
    assert (source.name, source.licence, source.pairs) == ("toy-language", "Apache-2.0", 99)


def test_the_bundle_knows_the_words_of_its_training_text(exported: tuple[Path, Manifest]) -> None:
    out, manifest = exported
    assert [entry.language for entry in manifest.known_words] == ["en", "de"]
    known = read_bundle(out).known_words
    assert ("house" in known["en"], "haus" in known["de"]) == (True, True)
    assert ("haus" in known["en"], "house" in known["de"]) == (False, False)


def test_the_model_card_names_data_licences_and_figures(exported: tuple[Path, Manifest]) -> None:
    out, manifest = exported
    card = (out / MODEL_CARD_NAME).read_text(encoding="utf-8")
    assert "| toy-language | 99 | Apache-2.0 |" in card
    for report in manifest.quality:
        scores = f"{report.beam_size} | 40 | {report.bleu:.2f} | {report.chrf:.2f}"
        assert f"| {report.precision} | {scores} |" in card
    assert "Of 40 greedy translations, 40 are identical" in card
    assert "22 activations have a calibrated constant scale and 0 a scale per row" in card
    assert CONFIG.strip() in card


def test_the_bundle_translates_its_canary(exported: tuple[Path, Manifest]) -> None:
    bundle = read_bundle(exported[0])
    canary = bundle.manifest.canary
    ids = bundle.tokenizer.encode_source(canary.source_text, canary.pair)
    ((hypothesis,),) = decode_batch(
        open_sessions(bundle), [ids], DecodeOptions(max_target_tokens=32)
    )
    assert hypothesis.target_ids == canary.target_ids


def test_fp32_is_exported_without_quantisation(checkpoint: Path, tmp_path: Path) -> None:
    options = replace(_options(checkpoint, tmp_path / "plain"), precision="fp32", name="other")
    manifest = export_bundle(options)
    assert (manifest.name, manifest.precision) == ("other", "fp32")
    assert {q.precision for q in manifest.quality} == {"fp32"}
    assert not manifest.quantization.static_tensors
    assert read_bundle(options.out).manifest == manifest


def test_plain_attention_is_exported_and_named_in_the_card(tmp_path: Path) -> None:
    model = random_transformer(
        vocab_size=VOCAB_SIZE, positions="rotary", attention_score="cosine", d_model=24
    )
    manifest = export_bundle(_options(write_run(tmp_path / "run", model), tmp_path / "out"))
    shape = manifest.architecture
    assert (shape.attention_operator, shape.attention_score) == ("plain", "cosine")
    assert (manifest.precision, manifest.cache, manifest.batch_invariant) == ("int8", "int8", True)
    card = (tmp_path / "out" / MODEL_CARD_NAME).read_text()
    assert "(cosine scores, rotary positions, heads of 12) is computed by plain operators" in card


def test_the_same_checkpoint_gives_the_same_files(
    checkpoint: Path, exported: tuple[Path, Manifest], tmp_path: Path
) -> None:
    again = export_bundle(_options(checkpoint, tmp_path / "random"))
    first = {n: e for n, e in exported[1].files.items() if n != MODEL_CARD_NAME}
    assert {n: e for n, e in again.files.items() if n != MODEL_CARD_NAME} == first


def test_an_existing_bundle_is_replaced_only_by_force(
    exported: tuple[Path, Manifest], checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "random"
    shutil.copytree(exported[0], out)
    before = _everything_in(tmp_path)
    options = replace(_options(checkpoint, out), precision="fp32")
    with pytest.raises(ExportError, match="use --force"):
        export_bundle(options)
    assert _everything_in(tmp_path) == before
    export_bundle(replace(options, force=True))
    assert read_bundle(out).manifest.precision == "fp32"
    assert [p.name for p in tmp_path.iterdir()] == ["random"]


def test_int8_that_loses_too_much_leaves_the_old_bundle_and_nothing_else(
    exported: tuple[Path, Manifest], checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "random"
    shutil.copytree(exported[0], out)
    before = _everything_in(tmp_path)
    options = replace(_options(checkpoint, out), max_bleu_loss=-1000, force=True)
    with pytest.raises(VerificationError, match="--max-bleu-loss allows more"):
        export_bundle(options)
    assert _everything_in(tmp_path) == before


def test_a_shortlist_is_built_in_int8_only(checkpoint: Path, tmp_path: Path) -> None:
    options = replace(_options(checkpoint, tmp_path / "out"), shortlist="dev.tsv")
    with pytest.raises(ExportError, match="a shortlist gathers int8 weights"):
        export_bundle(replace(options, precision="fp32"))
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    broken = random_transformer(vocab_size=VOCAB_SIZE)
    with torch.no_grad():
        broken.output_projection.bias[:] = torch.nan
    options = _options(write_run(tmp_path / "run", broken), tmp_path / "out")
    with pytest.raises(ExportError, match=r"NaN or infinite weights in output_projection\.bias"):
        export_bundle(options)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    model = random_transformer(vocab_size=VOCAB_SIZE + 1)
    checkpoint = write_run(tmp_path / "run", model)
    options = replace(_options(checkpoint, tmp_path / "out"), max_source_tokens=33)
    with pytest.raises(ExportError) as caught:
        export_bundle(options)
    for fault in (
        "the model has 32 positions",
        f"{VOCAB_SIZE} pieces, the model {VOCAB_SIZE + 1}",
    ):
        assert fault in str(caught.value)


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    checkpoint = write_run(tmp_path / "run")
    (checkpoint.parent / "source.spm").unlink()
    with pytest.raises(ExportError, match="tokenizer must lie beside the checkpoint"):
        export_bundle(_options(checkpoint, tmp_path / "out"))


def test_a_development_set_without_fitting_sentences_is_refused(tmp_path: Path) -> None:
    options = replace(_options(write_run(tmp_path / "run"), tmp_path / "out"), max_source_tokens=2)
    with pytest.raises(ExportError, match=r"dev\.tsv: every sentence is longer"):
        export_bundle(options)


def test_missing_checkpoint_and_data_are_named(tmp_path: Path) -> None:
    checkpoint = write_run(tmp_path / "run")
    options = _options(checkpoint, tmp_path / "out")
    with pytest.raises(CheckpointError, match=r"none\.pt"):
        export_bundle(replace(options, checkpoint=tmp_path / "none.pt"))
    with pytest.raises(CorpusError, match=r"dev\.tsv"):
        export_bundle(replace(options, data=tmp_path))
