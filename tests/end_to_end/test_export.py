"""What an export refuses, and what it gains, with a model that has learnt something."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from bundle.reader import Bundle, read_bundle
from bundle.tensors import DECODER_NAME, MODEL_CARD_NAME, SHORTLIST_FILES
from export.errors import VerificationError
from export.exporter import export_bundle
from export.options import CalibrationOptions, ShortlistSize
from export.renewal import RenewalOptions, renew
from export.verification.quality import MAX_SHORTLIST_LOSS
from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from tests.end_to_end.copy_task import NUM_HELD_OUT, export_options, sentences

pytestmark = pytest.mark.slow

SHORTLIST_SIZE = ShortlistSize(num_common=64, num_own=48, max_source_tokens=64)


def _translations(bundle: Bundle, *, is_short: bool) -> list[str]:
    pair = bundle.manifest.pairs[0]
    ids = [bundle.tokenizer.encode_source(t, pair) for t in sentences(NUM_HELD_OUT, seed=1)]
    sessions = open_sessions(bundle)
    if not is_short:
        sessions = replace(sessions, uses_shortlist=False)
    options = DecodeOptions(max_target_tokens=64, with_scores=False)
    results = decode_batch(sessions, ids, options)
    return [bundle.tokenizer.decode_target(h[0].target_ids) for h in results]


def test_a_badly_quantised_model_is_refused(copy_checkpoint: Path, tmp_path: Path) -> None:
    coarse = CalibrationOptions(sentences=50, num_levels=4, max_noise_ratio=math.inf)
    options = replace(export_options(copy_checkpoint, tmp_path / "out"), calibration=coarse)
    with pytest.raises(VerificationError, match=r"int8 has BLEU .* of the translations changed"):
        export_bundle(options)
    assert not list(tmp_path.iterdir())


def test_scales_per_row_take_the_place_of_grids_that_are_too_coarse(
    copy_checkpoint: Path, tmp_path: Path
) -> None:
    coarse = CalibrationOptions(sentences=50, num_levels=4)
    options = replace(export_options(copy_checkpoint, tmp_path / "out"), calibration=coarse)
    chosen = export_bundle(options).quantization
    assert len(chosen.per_row_tensors) > len(chosen.static_tensors)
    assert all(
        (ratio > coarse.max_noise_ratio) == (name in chosen.per_row_tensors)
        for name, ratio in chosen.noise_ratios.items()
    )


@pytest.fixture(scope="module")
def shortlisted(copy_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    options = replace(
        export_options(copy_checkpoint, tmp_path_factory.mktemp("shortlist") / "out"),
        shortlist="train.tsv",
        shortlist_size=SHORTLIST_SIZE,
    )
    export_bundle(options)
    return read_bundle(options.out)


def test_the_manifest_says_what_a_shortlist_costs_and_gains(shortlisted: Bundle) -> None:
    manifest = shortlisted.manifest
    assert manifest.shortlist is not None
    assert (manifest.shortlist.num_common, manifest.shortlist.num_own) == (64, 48)
    assert [s.rows for s in manifest.shortlist.speedups] == [1, 32]
    whole, short = (
        next(q for q in manifest.quality if q.precision == "int8" and q.with_shortlist is short)
        for short in (False, True)
    )
    assert whole.bleu - short.bleu <= MAX_SHORTLIST_LOSS
    assert (
        "Greedy search chooses from 64 common target pieces"
        in shortlisted.file("MODEL_CARD.md").read_text()
    )


def test_a_shortlist_holds_what_a_copy_needs(shortlisted: Bundle) -> None:
    short = _translations(shortlisted, is_short=True)
    whole = _translations(shortlisted, is_short=False)
    assert sum(a == b for a, b in zip(short, whole, strict=True)) >= 0.97 * NUM_HELD_OUT


def test_a_shortlist_too_short_to_translate_is_refused(
    copy_checkpoint: Path, tmp_path: Path
) -> None:
    size = ShortlistSize(num_common=40, num_own=2, max_source_tokens=64)
    options = export_options(copy_checkpoint, tmp_path / "out")
    with pytest.raises(VerificationError, match="with the shortlist, int8 has BLEU"):
        export_bundle(replace(options, shortlist="train.tsv", shortlist_size=size))
    assert not list(tmp_path.iterdir())


def test_a_renewal_takes_the_shortlist_out_and_makes_a_wider_beam_the_default(
    shortlisted: Bundle, tmp_path: Path
) -> None:
    was, folder = shortlisted.manifest, tmp_path / "renewed"
    shutil.copytree(shortlisted.path, folder)
    renew(folder)
    assert read_bundle(folder).manifest == was, "a shortlist stays where nothing is said of it"
    options = RenewalOptions(beam_size=8, without_shortlist=True)
    renewed = renew(folder, options)
    assert (renewed.shortlist, renewed.decoding.beam_size) == (None, 8)
    assert renewed.files.keys() == was.files.keys() - set(SHORTLIST_FILES)
    decoder = onnx.load(folder / DECODER_NAME, load_external_data=False).graph
    assert "If" not in {node.op_type for node in decoder.node}
    card = (folder / MODEL_CARD_NAME).read_text(encoding="utf-8")
    assert "shortlist" not in card and "| int8 | 4 |" in card
    whole = _translations(shortlisted, is_short=False)
    assert _translations(read_bundle(folder), is_short=True) == whole
