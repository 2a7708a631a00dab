"""A model that was trained in both directions is calibrated, measured and exported for both."""

from pathlib import Path

import pytest

from bundle.manifest import LanguagePair, Manifest
from bundle.reader import read_bundle
from bundle.tensors import MODEL_CARD_NAME
from export.exporter import export_bundle
from export.inputs.training_run import prepare_run
from export.options import CalibrationOptions, ExportOptions
from export.sentences.development_set import DevelopmentPair, in_turns
from tests.data.toy_language import sentence_pairs
from tests.export.runs import BOTH_WAYS, write_run

PAIRS = (
    LanguagePair(source="en", target="de", source_prefix=">>de<<"),
    LanguagePair(source="de", target="en", source_prefix=">>en<<"),
)


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> ExportOptions:
    folder = tmp_path_factory.mktemp("both")
    checkpoint = write_run(folder / "run", config=BOTH_WAYS)
    return ExportOptions(
        checkpoint=checkpoint,
        out=folder / "bundle",
        data=checkpoint.parent,
        max_source_tokens=32,
        max_target_tokens=32,
        verification_sentences=20,
        calibration=CalibrationOptions(sentences=10),
        max_bleu_loss=100,
    )


@pytest.fixture(scope="module")
def exported(options: ExportOptions) -> Manifest:
    return export_bundle(options)


def test_the_bundle_has_both_pairs(options: ExportOptions, exported: Manifest) -> None:
    assert exported.pairs == PAIRS
    assert exported.canary.pair == PAIRS[0]
    assert read_bundle(options.out).manifest == exported


def test_each_direction_is_measured_by_itself(exported: Manifest) -> None:
    assert exported.parity.sentences == exported.parity.identical_sentences == 40
    measured = [(q.precision, q.pair, q.beam_size) for q in exported.quality]
    assert measured == [
        (precision, pair, beam_size)
        for precision in ("fp32", "int8")
        for pair in PAIRS
        for beam_size in (1, 4)
    ]
    assert {q.sentences for q in exported.quality} == {20}


def test_the_manifest_and_the_card_name_trained_skills(
    options: ExportOptions, exported: Manifest
) -> None:
    assert exported.placeholders == tuple(f"⟦{digit}⟧" for digit in range(10))
    assert exported.alignment_head
    aligns = f"Head {exported.alignment_head.head} of decoder"
    card = (options.out / MODEL_CARD_NAME).read_text(encoding="utf-8")
    for said in ("en->de, de->en", "It copies ⟦0⟧, ⟦1⟧", aligns):
        assert said in card
    assert "| de->en | int8 | 4 | 20 |" in card


@pytest.mark.parametrize(
    ("learnt", "ignored", "field"),
    [
        ("placeholders = 0.1", "placeholders = 0", "placeholders"),
    ],
)
def test_skills_that_were_not_trained_are_not_in_the_manifest(
    learnt: str, ignored: str, field: str, tmp_path: Path
) -> None:
    checkpoint = write_run(tmp_path / "run", config=BOTH_WAYS.replace(learnt, ignored))
    manifest = export_bundle(_quick(checkpoint, tmp_path / "bundle"))
    assert not getattr(manifest, field)


def test_sources_of_both_directions_take_turns(options: ExportOptions) -> None:
    job = prepare_run(options)
    (english, german), *_ = sentence_pairs(1, seed=2)
    assert [p.source for p in job.verification[:2]] == [english, german]
    assert [p.reference for p in job.verification[:2]] == [german, english]
    prefixes = [job.model.tokenizer.source_pieces(p.source_ids)[0] for p in job.calibration]
    assert prefixes == [">>de<<", ">>en<<"] * 10
    assert not {p.source for p in job.verification} & {p.source for p in job.calibration}


def test_pairs_of_a_longer_set_follow_at_the_end() -> None:
    pairs = [DevelopmentPair(source=s, reference="", source_ids=(), target_ids=()) for s in "abc"]
    assert [p.source for p in in_turns([pairs[:1], pairs[1:]])] == ["a", "b", "c"]


def _quick(checkpoint: Path, out: Path) -> ExportOptions:
    return ExportOptions(
        checkpoint=checkpoint,
        out=out,
        data=checkpoint.parent,
        precision="fp32",
        max_source_tokens=32,
        max_target_tokens=32,
        verification_sentences=2,
    )
